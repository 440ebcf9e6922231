//go:build linux

package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestOverlaps(t *testing.T) {
	term := func(replica string, from, to int64) Term {
		return Term{Replica: replica, From: bootclock.Instant(from), To: bootclock.Instant(to)}
	}
	for _, tc := range []struct {
		name  string
		terms []Term
		want  []time.Duration
	}{
		{name: "one after the other", terms: []Term{term("a", 0, 10), term("b", 11, 20)}},
		{name: "end meets start", terms: []Term{term("a", 0, 10), term("b", 10, 20)}},
		{name: "two channels of one replica", terms: []Term{term("a", 0, 10), term("a", 5, 15)}},
		{name: "crossing", terms: []Term{term("a", 0, 10), term("b", 8, 20)}, want: []time.Duration{2}},
		{name: "within", terms: []Term{term("a", 0, 10), term("b", 4, 5)}, want: []time.Duration{1}},
		{name: "a later pair", terms: []Term{term("a", 0, 10), term("b", 11, 20), term("a", 19, 30)}, want: []time.Duration{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []time.Duration
			for _, o := range Overlaps(tc.terms) {
				got = append(got, o.Span)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("overlaps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokensRise(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"9", "10", true}, {"10", "9", false}, {"10", "10", false}, {"99999999999999999999", "100000000000000000000", true}} {
		if got := rises(tc.a, tc.b); got != tc.want {
			t.Errorf("rises(%s, %s) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

// TestWitnessSeesTheTermsOfAChannel checks that a term ends where the token changes, although nobody said "no".
func TestWitnessSeesTheTermsOfAChannel(t *testing.T) {
	w := Watch(t)
	said := make(chan struct{})
	script := []struct {
		leads bool
		token string
	}{{true, "7"}, {true, "7"}, {true, "7"}, {true, "8"}, {true, "8"}, {false, ""}}
	i := 0
	w.AddChannel("a", "test", time.Millisecond, func() (bool, string) {
		if i == len(script) {
			close(said)
		}
		step := script[min(i, len(script)-1)]
		i++
		return step.leads, step.token
	})
	<-said
	w.Stop()
	var got []string
	for _, term := range w.Terms("test") {
		got = append(got, term.Token)
		if !term.From.Before(term.To) {
			t.Errorf("term %s has no span", term.Token)
		}
	}
	if diff := cmp.Diff([]string{"7", "8"}, got); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
}

// A glance that need not read the file still judges by the clock, and sees a replaced file, one written in place and a
// removed one.
func TestGlance(t *testing.T) {
	id, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clock := &setClock{now: bootclock.System{}.Now()}
	write := func(token string, until time.Duration) {
		t.Helper()
		end := clock.now.Add(until)
		doc := fmt.Sprintf(`{"lease":"acme-1","namespace":"default","identity":"web-0_u","isLeader":true,"leader":"web-0","token":%q,`+
			`"transitions":1,"since":"2026-11-22T10:00:00Z","validUntil":"2026-11-22T10:00:10Z","validUntilBoottimeNs":%q,"bootID":%q}`, token, end.String(), id)
		if err := os.WriteFile(filepath.Join(dir, leadership.StateFile), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := &glance{dir: dir, clock: clock}
	wants := func(want bool, token string) {
		t.Helper()
		for range 2 { // the second look finds the same file
			if got, of := g.leads(); got != want || of != token {
				t.Errorf("leads: %v by token %q, want %v by %q", got, of, want, token)
			}
		}
	}
	wants(false, "")
	write("7", time.Hour)
	wants(true, "7")
	clock.now = clock.now.Add(time.Hour)
	wants(false, "")
	write("8", 2*time.Hour)
	wants(true, "8")
	write("12", 2*time.Hour) // in place
	wants(true, "12")
	if err := os.Remove(filepath.Join(dir, leadership.StateFile)); err != nil {
		t.Fatal(err)
	}
	wants(false, "")
}

type setClock struct{ now bootclock.Instant }

func (c *setClock) Now() bootclock.Instant { return c.now }
func (c *setClock) Wall() time.Time        { return time.Now() }

// NewTimer returns a timer that looks at this clock.
func (c *setClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }
