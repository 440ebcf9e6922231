package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWithArgumentLast: command lines of status as kubectl's users write them.
func TestWithArgumentLast(t *testing.T) {
	for line, want := range map[string]string{
		"status":                          "status",
		"status web -n shop":              "status -n shop web",
		"status web --namespace=shop -w":  "status --namespace=shop -w web",
		"status -Aw":                      "status -A -w",
		"status -Awowide":                 "status -A -w -o wide",
		"status -owide web":               "status -o wide web",
		"status -o=wide web":              "status -o=wide web",
		"status -lapp=web,x!=y web":       "status -l app=web,x!=y web",
		"status -nshop -ojson":            "status -n shop -o json",
		"status web -n":                   "status -n web",
		"status web --watch=false --help": "status --watch=false --help web",
		"status -namespace shop web":      "status -namespace shop web",
		"status -xyz web":                 "status -xyz web",
		"status a b":                      "status a b",
		"status - web":                    "status - web",
		"run sh -c true":                  "run sh -c true",
		"wait -Aw":                        "wait -Aw",
	} {
		got := withArgumentLast(append([]string{"lease-sidecar"}, strings.Fields(line)...))
		if diff := cmp.Diff("lease-sidecar "+want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	if got := withArgumentLast([]string{"lease-sidecar"}); len(got) != 1 {
		t.Errorf("no command: %q", got)
	}
}
