//go:build linux

package harness

import (
	"testing"
	"time"
)

// Eventually waits until holds says yes, and ends the test where it has not within bound.
func Eventually(t testing.TB, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); ; {
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", bound, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Throughout watches for the whole of span that holds says yes, and ends the test at the first no.
func Throughout(t testing.TB, span time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(span); time.Now().Before(deadline); {
		if !holds() {
			t.Fatalf("not so for %v: %s", span, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
