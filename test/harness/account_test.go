//go:build linux

package harness

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

func TestCount(t *testing.T) {
	term := func(replica string, from, to bootclock.Instant) Term {
		return Term{Replica: replica, From: from, To: to}
	}
	for _, tc := range []struct {
		name           string
		terms          []Term
		without, twice time.Duration
	}{
		{"nobody", nil, 100, 0},
		{"one throughout", []Term{term("a", 50, 300)}, 0, 0},
		{"a gap in the middle", []Term{term("b", 160, 250), term("a", 0, 140)}, 20, 0},
		{"a gap at each end", []Term{term("a", 110, 190)}, 20, 0},
		{"outside", []Term{term("a", 0, 100), term("b", 200, 300)}, 100, 0},
		{"two at once", []Term{term("a", 0, 150), term("b", 130, 300)}, 0, 20},
		{"one within the other", []Term{term("a", 0, 300), term("b", 130, 140)}, 0, 10},
		{"two processes of one replica", []Term{term("a", 0, 150), term("a", 130, 300)}, 0, 0},
		{"two at once before the span", []Term{term("a", 0, 150), term("b", 80, 110), term("b", 150, 200)}, 0, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if without, twice := Count(tc.terms, 100, 200); without != tc.without || twice != tc.twice {
				t.Errorf("%v without and %v with two, want %v and %v", without, twice, tc.without, tc.twice)
			}
		})
	}
}
