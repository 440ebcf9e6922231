package elector

import (
	"reflect"
	"testing"
	"time"
)

// TestEventsThatWaitHaveOneOrder has several events wait at once, as after a pause of the process: they are taken in one
// order, and time alone comes last.
func TestEventsThatWaitHaveOneOrder(t *testing.T) {
	t.Parallel()
	for range 100 {
		l := &loop{e: &Elector{commands: make(chan event, 1)}, events: make(chan event, 2)}
		timer, ended := make(chan time.Time, 1), make(chan struct{})
		timer <- time.Time{}
		close(ended)
		l.e.commands <- stepDown{}
		l.events <- watchOpened{}
		l.events <- replied{}

		got := []event{l.next(timer, ended)}
		for range 4 {
			got = append(got, l.next(timer, nil))
		}
		if want := []event{terminate{}, stepDown{}, watchOpened{}, replied{}, tick{}}; !reflect.DeepEqual(got, want) {
			t.Fatalf("taken in the order %T, want %T", got, want)
		}
	}
}
