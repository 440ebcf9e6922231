package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How long the tests of one package may take: those that one mutant names, and without a mutant all that any of them names. A hang is
// no verdict, so both are generous; a busy machine takes several times as long as an idle one.
const (
	patience    = 2 * time.Minute
	patienceAll = 10 * time.Minute
)

// rapidFlags make the random tests of a package the same each time, and keep their findings out of the tree.
var rapidFlags = []string{"-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ns"}

// result is what became of one named test under one mutant.
type result struct {
	test    test
	verdict verdict
	text    string // the test's own, or the compiler's
}

// trier runs named tests in the module at root.
type trier struct {
	root, module string
}

// findModule returns a trier of the module that the working directory is in.
func findModule(ctx context.Context) (trier, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}\n{{.Path}}").Output()
	if err != nil {
		return trier{}, fmt.Errorf("find the module: %w", err)
	}
	root, module, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !ok {
		return trier{}, fmt.Errorf("find the module: the go command says %q", out)
	}
	return trier{root: root, module: module}, nil
}

// try runs the tests of m with its fault in the product, or without where m has no file.
func (t trier) try(ctx context.Context, m mutant) ([]result, error) {
	flags, remove, err := m.overlay(t.root)
	if err != nil {
		return nil, err
	}
	defer remove()
	bound := patience
	if m.file == "" {
		bound = patienceAll
	}
	flags = append(flags, "-timeout="+bound.String())
	var results []result
	for _, group := range byPackage(m.reds) {
		ran, err := t.test(ctx, flags, group)
		if err != nil {
			return nil, err
		}
		for _, named := range group {
			results = append(results, result{named, ran.of(named.name), ran.text(named.name)})
		}
	}
	return results, nil
}

// byPackage splits tests into those of each package, in order.
func byPackage(tests []test) [][]test {
	var groups [][]test
	for _, named := range tests {
		i := slices.IndexFunc(groups, func(g []test) bool { return g[0].pkg == named.pkg })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], named)
	}
	return groups
}

// test runs tests of one package. A subtest is run by the name of its test alone where several are wanted, as -run takes
// one pattern for each part of a name.
func (t trier) test(ctx context.Context, flags []string, tests []test) (run, error) {
	pattern := tests[0].pattern()
	if len(tests) > 1 {
		var tops []string
		for _, named := range tests {
			top, _, _ := strings.Cut(named.pattern(), "/")
			tops = append(tops, top)
		}
		slices.Sort(tops)
		pattern = strings.Join(slices.Compact(tops), "|")
	}
	pkg := tests[0].pkg
	var args []string
	if random, err := t.random(pkg); err != nil {
		return run{}, err
	} else if random {
		args = rapidFlags
	}
	return t.gotest(ctx, pkg, append([]string{"-run=" + pattern}, flags...), args)
}

// random reports whether the package has random tests, which take the rapidFlags.
func (t trier) random(pkg string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(t.root, pkg, "*_test.go"))
	if err != nil {
		return false, fmt.Errorf("look for random tests: %w", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return false, fmt.Errorf("look for random tests: %w", err)
		}
		if bytes.Contains(source, []byte(`"pgregory.net/rapid"`)) {
			return true, nil
		}
	}
	return false, nil
}

// gotest runs the go command's test for one package, with flags for the command and arguments for the tests.
func (t trier) gotest(ctx context.Context, pkg string, flags, args []string) (run, error) {
	line := append([]string{"test", "-json", "-vet=off"}, flags...)
	line = append(line, t.module+"/"+pkg)
	if len(args) > 0 {
		line = append(append(line, "-args"), args...)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", line...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = t.root, &stdout, &stderr, 10*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // the go command ends its tests, too
	err := cmd.Run()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) || ctx.Err() != nil {
		return run{}, fmt.Errorf("run the tests of %s: %w", pkg, errors.Join(err, ctx.Err()))
	}
	got, err := readRun(&stdout)
	got.rest = append(got.rest, strings.Split(stderr.String(), "\n")...)
	return got, err
}
