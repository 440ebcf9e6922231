package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// all are the mutants, in the order of the report.
var all = slices.Concat(margins, waits, terms, core, successions, costs, stores, signalling, endings, stopping, crashes, order, sightings, surroundings)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command does what args ask for, and returns the exit status: 1 where a mutant survives or nothing is proven, 2 where
// args make no sense.
func command(ctx context.Context, args []string, out, faults io.Writer) int {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(faults)
	only := flags.String("only", "", "a regular expression: only the mutants whose name matches")
	workers := flags.Int("workers", runtime.GOMAXPROCS(0), "how many mutants are tried at once")
	verbose := flags.Bool("v", false, "print what each red test said first, too")
	inSimulation := flags.Bool("controls", false, "have the simulation find the overlaps of the controls, in place of the mutants' tests")
	seeds := flags.Int("seeds", 300, "how many seeds of the simulation a control runs, with -controls")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen, err := regexp.Compile(*only)
	if err != nil || *workers < 1 || *seeds < 1 || flags.NArg() > 0 {
		_, _ = fmt.Fprintln(faults, "mutants: -only takes a regular expression, -workers and -seeds a number from 1; nothing else is taken:", flags.Args(), err)
		return 2
	}
	t, err := findModule(ctx)
	if err == nil && *inSimulation {
		err = t.control(ctx, chosen, *seeds, out)
	} else if err == nil {
		err = t.all(ctx, chosen, *workers, &reporter{out: out, verbose: *verbose})
	}
	if err != nil {
		_, _ = fmt.Fprintln(faults, "FAIL:", err)
		return 1
	}
	return 0
}

// all tries the chosen mutants, and reports on each as it is done.
func (t trier) all(ctx context.Context, chosen *regexp.Regexp, workers int, r *reporter) error {
	var tried []mutant
	for _, m := range all {
		if chosen.MatchString(m.name) {
			tried = append(tried, m)
		}
	}
	began := time.Now()
	if err := t.healthy(ctx, tried); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, m := range tried {
		group.Go(func() error {
			results, err := t.try(ctx, m)
			if err == nil {
				r.report(m, results)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.out, "%d mutants, %d survived, in %s\n", len(tried), r.survived, time.Since(began).Round(time.Second))
	if r.survived > 0 || len(tried) == 0 {
		return fmt.Errorf("%d of %d mutants survived", r.survived, len(tried))
	}
	return nil
}

// healthy sees the named tests pass on the product as it is: else a red one would prove nothing.
func (t trier) healthy(ctx context.Context, mutants []mutant) error {
	product := mutant{name: "the product as it is"}
	for _, m := range mutants {
		for _, named := range m.reds {
			if !slices.Contains(product.reds, named) {
				product.reds = append(product.reds, named)
			}
		}
	}
	results, err := t.try(ctx, product)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.verdict != green {
			return fmt.Errorf("%s %s without any mutant: %s", r.test, r.verdict, r.text)
		}
	}
	return nil
}

// reporter prints the table, and counts who survives.
type reporter struct {
	out     io.Writer
	verbose bool

	mu       sync.Mutex
	survived int
}

// report prints how the mutant's tests ended. It survives where one of them is not red.
func (r *reporter) report(m mutant, results []result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	killed := true
	_, _ = fmt.Fprintln(r.out, m.name)
	for _, got := range results {
		killed = killed && got.verdict == red
		_, _ = fmt.Fprintf(r.out, "    %-5s  %s\n", got.verdict, got.test)
		if got.verdict != red || r.verbose {
			_, _ = fmt.Fprintf(r.out, "           %s\n", got.text)
		}
	}
	if !killed {
		r.survived++
		_, _ = fmt.Fprintf(r.out, "    SURVIVED: %s\n", m.danger)
	}
}
