package process

import (
	"errors"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// A process that never rests may come to its handlers late: it is told an owed loss more than once, but not for ever.
func TestBusyProcessIsToldTheLossAgain(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr+"\nsay('ready')\nwhile True: pass")
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	wake := a.freeze(t)
	r.lead("1", time.Minute)
	if err := r.apply(leadership.Leadership{}); !errors.Is(err, errUntaken) {
		t.Fatalf("got %v of a loss that may be handled first", err)
	}
	wake()
	a.says(t, "SIGUSR2")
	r.lose()
	if n := r.machine.held.repeats; n < 1 || n > repeatsMax {
		t.Errorf("told %d times that were not the last; want 1 to %d", n, repeatsMax)
	}
}
