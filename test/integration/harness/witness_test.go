//go:build linux

package harness

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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
	w.look("a", "test", time.Millisecond, func() (bool, string) {
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
