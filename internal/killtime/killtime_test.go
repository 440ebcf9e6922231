package killtime

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestNext: one term with a last validUntil of 10 s; a leadership is published at each second from 5 s on. The kill margin is 3 s.
func TestNext(t *testing.T) {
	const second = bootclock.Instant(time.Second)
	hold := func(until bootclock.Instant) leadership.Leadership {
		return leadership.Leadership{ValidUntil: until * second}
	}
	lost := leadership.Leadership{}
	for _, c := range []struct {
		name      string
		limit     time.Duration
		published []leadership.Leadership
		want      []float64 // seconds
	}{
		{"lost", 30 * time.Second, []leadership.Leadership{lost, lost}, []float64{11.5, 11.5}},
		{"lost, then a later term's handover", 30 * time.Second, []leadership.Leadership{lost, hold(20), hold(30)}, []float64{11.5, 11.5, 11.5}},
		{"planned, renewed", 30 * time.Second, []leadership.Leadership{hold(10), hold(13), hold(16)}, []float64{11.5, 14.5, 17.5}},
		{"planned, to the stop timeout", 6 * time.Second, []leadership.Leadership{hold(9), hold(13), hold(16)}, []float64{10.5, 11, 11}},
		{"planned, then lost", 30 * time.Second, []leadership.Leadership{hold(10), hold(13), lost, lost, hold(30)}, []float64{11.5, 14.5, 14.5, 14.5, 14.5}},
		{"a hold that lags", 30 * time.Second, []leadership.Leadership{hold(13), hold(10)}, []float64{14.5, 14.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Rule{StopTimeout: c.limit, KillMargin: 3 * time.Second}
			var s Stop
			for i, l := range c.published {
				now := bootclock.Instant(5+i) * second
				s = r.Next(s, now, 10*second, l)
				if got := float64(s.At) / float64(second); got != c.want[i] || s.Began != 5*second {
					t.Errorf("leadership %d: killed at %gs, began %s; want %gs, 5s", i, got, s.Began, c.want[i])
				}
			}
		})
	}
}
