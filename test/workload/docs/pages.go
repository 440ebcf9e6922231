package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is where a page's commands run.
type Place string

// The places.
const (
	// Machine is a Linux machine of its own: namespaces with nothing in /tmp and /run, no other process, and no network but loopback.
	Machine Place = "machine"
	// Cluster is such a machine with kubectl, helm, and a real API server: nothing else of a cluster, no kubelet and no controller.
	Cluster Place = "cluster"
)

// Page says how the commands of a page are run.
type Page struct {
	// Path is below the repository, with slashes.
	Path string
	// Place is where they run.
	Place Place
	// Tree has the terminals begin in the repository; else they begin in a folder of their own.
	Tree bool
	// Built says that the page builds the program itself; else it is on the PATH.
	Built bool
	// Before are commands that come first, and end: what the page takes to be there.
	Before string
	// Programs are those of the reader, by the names that the page gives them, each with its script.
	Programs map[string]string
}

// Exception is a command that is not run as the others are.
type Exception struct {
	// Page is the page's path; Line is what the line begins with.
	Page, Line string
	// Reason says who runs it, or why nobody does.
	Reason string
}

// excepted returns which lines of a page are exceptions, and notes their use.
func excepted(page string, elsewhere []Exception, used map[Exception]bool) func(line string) bool {
	return func(line string) bool {
		for _, e := range elsewhere {
			if e.Page == page && strings.HasPrefix(strings.TrimSpace(line), e.Line) {
				used[e] = true
				return true
			}
		}
		return false
	}
}

// generated is written by the command itself (make docs), without the languages of its blocks.
const generated = "docs/reference/cli.md"

// Steps returns the steps of a page of the repository.
func (p Page) Steps(root string) ([]Step, error) {
	document, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.Path)))
	if err != nil {
		return nil, err
	}
	steps, faults := Read(string(document), excepted(p.Path, Elsewhere, map[Exception]bool{}))
	return steps, errors.Join(faults...)
}

// Faults reads the README and all pages below docs/ and examples/ of the folder. It returns each command that nobody runs, each page with
// commands that is not among pages, and each entry of both lists that nothing matches.
func Faults(root string, pages []Page, elsewhere []Exception) (faults []error, err error) {
	paths, err := documents(root)
	if err != nil {
		return nil, err
	}
	used := map[Exception]bool{}
	for _, path := range paths {
		document, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		steps, found := Read(string(document), excepted(path, elsewhere, used))
		for _, fault := range found {
			if path != generated {
				faults = append(faults, fmt.Errorf("%s, %w", path, fault))
			}
		}
		if listed := slices.ContainsFunc(pages, func(p Page) bool { return p.Path == path }); listed != (len(steps) > 0) {
			faults = append(faults, fmt.Errorf("%s has %d steps to run, and is among Pages of test/workload/docs: %v", path, len(steps), listed))
		}
	}
	for _, p := range pages {
		if !slices.Contains(paths, p.Path) {
			faults = append(faults, fmt.Errorf("there is no page %s", p.Path))
		}
	}
	for _, e := range elsewhere {
		if !used[e] {
			faults = append(faults, fmt.Errorf("%s has no command %q: take it out of Elsewhere", e.Page, e.Line))
		}
	}
	return faults, nil
}

// documents returns the paths of the README and the pages, below root.
func documents(root string) (paths []string, err error) {
	paths = []string{"README.md"}
	for _, folder := range []string{"docs", "examples"} {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".md") {
				path, err = filepath.Rel(root, path)
				paths = append(paths, filepath.ToSlash(path))
			}
			return err
		}))
	}
	return paths, err
}
