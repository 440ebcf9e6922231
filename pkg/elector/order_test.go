package elector

import (
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
		l := &loop{e: &Elector{orders: newOrders()}, events: make(chan event, 2)}
		l.e.orders.asked = make(chan order, 1)
		timer, ended := make(firedTimer, 1), make(chan struct{})
		timer <- struct{}{}
		close(ended)
		l.e.orders.asked <- order{event: stepDown{}}
		l.events <- watchOpened{}
		l.events <- replied{}
		l.e.wake()

		got := []input{l.receive(timer, ended)}
		for range 5 {
			got = append(got, l.receive(timer, nil))
		}
		want := []input{{ended: true}, {event: stepDown{}}, {event: watchOpened{}}, {event: replied{}}, {}, {event: tick{}}}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("taken in the order %+v, want %+v", got, want)
		}
	}
}
