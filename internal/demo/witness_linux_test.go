package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// answer is one look: asked and answered in milliseconds, and the token seen, "" for "not leader".
type answer struct {
	asked, answered int
	token           string
}

func ms(n int) bootclock.Instant { return bootclock.Instant(n) * bootclock.Instant(time.Millisecond) }

func tracked(looks ...answer) *track {
	t := &track{}
	for _, l := range looks {
		t.look(ms(l.asked), ms(l.answered), l.token != "", l.token)
	}
	return t
}

func TestTrack(t *testing.T) {
	for _, tc := range []struct {
		name  string
		looks []answer
		want  []span
	}{
		{"never", []answer{{0, 1, ""}, {2, 3, ""}}, nil},
		{"one look proves an instant", []answer{{0, 1, "7"}}, []span{{ms(1), ms(1), "7"}}},
		{"what lies between two", []answer{{0, 1, "7"}, {4, 9, "7"}}, []span{{ms(1), ms(4), "7"}}},
		{"a new token is a new span", []answer{{0, 1, "7"}, {4, 5, "8"}, {6, 7, "8"}}, []span{{ms(1), ms(1), "7"}, {ms(5), ms(6), "8"}}},
		{"a no between", []answer{{0, 1, "7"}, {2, 3, ""}, {4, 5, "7"}}, []span{{ms(1), ms(1), "7"}, {ms(5), ms(5), "7"}}},
		{"a slow look adds nothing", []answer{{0, 9, "7"}, {2, 11, "7"}}, []span{{ms(9), ms(9), "7"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tracked(tc.looks...).spans, cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOverlap(t *testing.T) {
	early := tracked(answer{0, 0, "7"}, answer{10, 10, "7"}).spans
	late := tracked(answer{10, 10, "8"}, answer{20, 20, "8"}).spans
	within := tracked(answer{4, 4, "9"}, answer{7, 7, "9"}).spans
	for _, tc := range []struct {
		name  string
		spans [][]span
		want  time.Duration
	}{
		{"one after the other", [][]span{early, late, nil}, 0},
		{"two at once", [][]span{early, within}, 3 * time.Millisecond},
		{"by another reader", [][]span{slices.Concat(late, early), nil, within}, 3 * time.Millisecond},
		{"two readers of one replica", [][]span{slices.Concat(early, within), late}, 0},
	} {
		if got := overlap(tc.spans); got != tc.want {
			t.Errorf("%s: got %s; want %s", tc.name, got, tc.want)
		}
	}
}
