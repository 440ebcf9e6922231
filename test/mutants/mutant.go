package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// mutant is one fault, and the tests that must see it.
type mutant struct {
	// name says in short what the mutant does; it is unique.
	name string
	// danger says which rule or invariant (I1–I15, go doc ./pkg/elector) is gone, and what may come of it.
	danger string
	// file is the path below the module; old occurs in it exactly once, and new takes its place.
	file, old, new string
	// reds are the tests that must fail, each of them.
	reds []test
}

// test names a test of a package.
type test struct {
	// pkg is the package's path below the module.
	pkg string
	// name is the test's, or a subtest's, as the go command prints it: "TestTranscripts/handover".
	name string
}

// in returns the tests of one package.
func in(pkg string, names ...string) []test {
	var tests []test
	for _, name := range names {
		tests = append(tests, test{pkg, name})
	}
	return tests
}

func (t test) String() string { return t.pkg + " " + t.name }

// pattern returns what -run takes to run the test, and no other.
func (t test) pattern() string {
	parts := strings.Split(t.name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// mutate returns the mutant's file with the fault in it. It fails where the text to replace is not there, or more than
// once: the product has moved on, and the table must follow.
func (m mutant) mutate(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, fmt.Errorf("mutate %q: %w", m.name, err)
	}
	if n := strings.Count(string(source), m.old); n != 1 || m.old == m.new {
		return nil, fmt.Errorf("mutate %q: the text to replace occurs %d times in %s, want once: fix the table in test/mutants", m.name, n, m.file)
	}
	return []byte(strings.Replace(string(source), m.old, m.new, 1)), nil
}

// overlay writes the mutated file, and what the go command's -overlay takes, into a directory of their own. It returns the go command's
// flags, none where m has no file, and what removes the directory.
func (m mutant) overlay(root string) (flags []string, remove func(), err error) {
	if m.file == "" {
		return nil, func() {}, nil
	}
	source, err := m.mutate(root)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "lease-sidecar-mutant-*")
	if err != nil {
		return nil, nil, fmt.Errorf("make room for the mutant: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	mutated, path := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): mutated}})
	if err = errors.Join(err, os.WriteFile(mutated, source, 0o600), os.WriteFile(path, list, 0o600)); err != nil {
		remove()
		return nil, nil, fmt.Errorf("write the mutant and its overlay: %w", err)
	}
	return []string{"-overlay=" + path}, remove, nil
}
