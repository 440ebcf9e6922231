package repo

import (
	"regexp"
	"strings"
	"testing"
)

// unheeded is a command that takes the run lock, after which the script goes on whether it was taken or not.
var unheeded = regexp.MustCompile(`flock -s 9\s*(;|#|$)`)

// TestScriptsHeedTheLock: a script of the examples or the documentation that cannot take the run lock does not begin to work. An
// image may have no flock.
func TestScriptsHeedTheLock(t *testing.T) {
	taken := regexp.MustCompile(`flock -s 9`)
	found := 0
	for _, ending := range []string{".md", ".yaml", ".tpl", ".sh"} {
		for _, file := range tree(t, ending) {
			for i, line := range strings.Split(read(t, file), "\n") {
				if taken.MatchString(line) {
					found++
				}
				if unheeded.MatchString(line) {
					t.Errorf("%s:%d: the script goes on without the run lock: add && or || exit 1\n%s", file, i+1, line)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d lines take the run lock: the search does not find them", found)
	}
}

func TestUnheeded(t *testing.T) {
	for line, want := range map[string]bool{
		"flock -s 9":                         true,
		"  flock -s 9 # held until its end":  true,
		"exec 9<f; flock -s 9; exec app":     true,
		"flock -s 9 || exit 1 # held":        false,
		"exec 9<f && flock -s 9 && exec app": false,
	} {
		if got := unheeded.MatchString(line); got != want {
			t.Errorf("%s: unheeded %v, want %v", line, got, want)
		}
	}
}
