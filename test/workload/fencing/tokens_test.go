//go:build linux

package fencing

import (
	"fmt"
	"strings"
	"testing"
)

// TestTokens has each resource compare tokens: as numbers, of any length, equal ones let in, what is no token refused.
func TestTokens(t *testing.T) {
	t.Parallel()
	steps := []struct {
		token string
		older bool // than one that has been seen
		junk  bool
	}{
		{token: "9"},
		{token: "10"},
		{token: "9", older: true},
		{token: "10"},
		{token: "9007199254740993"},
		{token: "9007199254740992", older: true}, // to a double, the same
		{token: "9223372036854775808"},           // too long for bigint
		{token: "9223372036854775807", older: true},
		{token: "18446744073709551617"}, // too long for 64 bits
		{token: "18446744073709551616", older: true},
		{token: "100000000000000000000000000000000000001"},
		{token: "100000000000000000000000000000000000000", older: true},
		{token: "99999999999999999999999999999999999999", older: true}, // a digit less
		{token: "", junk: true},
		{token: "x", junk: true},
		{token: "-1", junk: true},
		{token: "NaN", junk: true},
		{token: "Infinity", junk: true},
		{token: "100000000000000000000000000000000000001"},
	}
	s := start(t, (*servers).startPostgres, (*servers).startRedis, (*servers).startS3)
	for name, of := range map[string]func(*testing.T, string, guard) resource{
		"row": s.row, "lock_row": s.lockRow, "hash": s.hash, "object": s.object, "service": s.service,
	} {
		t.Run(name, func(t *testing.T) {
			r := of(t, name, guard{})
			held := ""
			for i, step := range steps {
				value := fmt.Sprintf("value-%d", i)
				out, accepted := r.run(t, r.write, step.token, value)
				if want := !step.older && !step.junk; accepted != want {
					t.Errorf("step %d, token %q: accepted %t, want %t\n%s", i, step.token, accepted, want, out)
				}
				if step.older && !strings.Contains(out, r.sees) {
					t.Errorf("step %d, token %q: the writer sees %q, want %q", i, step.token, out, r.sees)
				}
				if accepted {
					held = value
				}
				if got := r.value(t); got != held {
					t.Fatalf("step %d, token %q: it holds %q, want %q\n%s", i, step.token, got, held, out)
				}
			}
		})
	}
}
