package elector

import (
	"context"
	"reflect"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// firedTimer is a timer whose instant has come.
type firedTimer chan struct{}

func (t firedTimer) C() <-chan struct{}    { return t }
func (firedTimer) Reset(bootclock.Instant) {}
func (firedTimer) Stop()                   {}

// TestEventsThatWaitHaveOneOrder has everything wait at once that can wake the loop, as after a pause of the process: it is
// taken in one order, and the mere passing of time comes last.
func TestEventsThatWaitHaveOneOrder(t *testing.T) {
	t.Parallel()
	for range 100 {
		e := &Elector{commands: newCommands()}
		l := &loop{e: e, events: make(chan event, 2), holdFailed: 3}
		timer := make(firedTimer, 1)
		timer <- struct{}{}
		ctx, end := context.WithCancel(t.Context())
		end()
		e.commands.stepDown.put("first")
		e.commands.stepDown.put("asked")
		l.events <- watchOpened{1}
		l.events <- replied{}
		e.Abandon()
		e.SetHealthy(true, "well")
		e.SetHealthy(false, "ill")

		var got []event
		for range 8 {
			got = append(got, l.next(ctx, timer))
		}
		want := []event{
			holdFailed{3}, health{why: "ill"}, terminate{}, abandon{}, stepDown{1, "asked"}, watchOpened{1}, replied{}, tick{},
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("taken in the order %+v, want %+v", got, want)
		}
	}
}
