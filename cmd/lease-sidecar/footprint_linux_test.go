package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
)

// The process is smaller after it, and still works.
func TestDropPages(t *testing.T) {
	everything(t) // touch a good part of the program first
	before := residentFile(t)
	if err := footprint.DropPages(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d kB of the program are resident after it, %d kB before", after, before)
	}
	everything(t)
}

func everything(t *testing.T) {
	t.Helper()
	if code := run(t.Context(), []string{"lease-sidecar", "run", "--help"}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatalf("help ends with %d", code)
	}
}

func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kB
}
