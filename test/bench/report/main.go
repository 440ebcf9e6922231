package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/bounds"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/page"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/plot"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// samples is how many samples of a series are kept in the repository.
const samples = 1000

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: report machine|tests|write|print|check [FILE…]; go doc ./test/bench/report says more")
	}
	short := flag.Bool("short", false, "machine: the run has few samples")
	flag.Parse()
	if err := run(flag.Arg(0), flag.Args()[min(1, flag.NArg()):], *short, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(command string, files []string, short bool, out io.Writer) error {
	switch command {
	case "machine":
		if len(files) != 1 {
			return errors.New("machine needs one file")
		}
		m, err := describe(".")
		if err != nil {
			return err
		}
		m.Short = short
		return result.AppendMachine(files[0], m)
	case "tests":
		_, err := fmt.Fprintln(out, "^("+strings.Join(catalog.Tests(), "|")+")$")
		return err
	case "write":
		return write(".", files)
	case "print", "check":
		results, err := result.Read(files...)
		if err != nil {
			return err
		}
		if command == "check" {
			return bounds.Check(results, bounds.All(), out)
		}
		return tables(results, out)
	default:
		return fmt.Errorf("%q is no command: write machine, tests, write, print or check", command)
	}
}

func tables(results result.Run, out io.Writer) error {
	parts, err := page.Parts(results)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := fmt.Fprintf(out, "## %s\n\n%s\n", part.Name, part.Text); err != nil {
			return err
		}
	}
	return nil
}

// write makes the page and its plots in a repository: from the files, which it keeps, or from what it has kept.
func write(top string, files []string) error {
	folder := filepath.Join(top, "docs", "explanation", "performance")
	kept := filepath.Join(folder, "results.jsonl")
	if len(files) > 0 {
		results, err := result.Read(files...)
		if err != nil {
			return err
		}
		if _, err := page.Parts(results); err != nil {
			return err // nothing is replaced by what cannot be shown
		}
		if err := results.Thin(samples).Write(kept); err != nil {
			return err
		}
	}
	results, err := result.Read(kept)
	if err != nil {
		return err
	}
	parts, err := page.Parts(results)
	if err != nil {
		return err
	}
	path := folder + ".md"
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	filled, err := page.Fill(string(old), parts)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(filled), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	for _, p := range plot.Pictures(results) {
		if err := p.Write(folder); err != nil {
			return err
		}
	}
	return nil
}
