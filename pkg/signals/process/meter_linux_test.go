package process

import (
	"testing"
	"time"
)

// A wait costs nothing; work costs what it takes.
func TestLookCostsProcessorTime(t *testing.T) {
	m := startMeter()
	time.Sleep(200 * time.Millisecond)
	if cost := m.read(); cost > 100*time.Millisecond {
		t.Errorf("a wait of 200 ms costs %s", cost)
	}
	m = startMeter()
	worked := 0
	for before := processorTime(); processorTime()-before < 20*time.Millisecond; {
		worked++
	}
	t.Logf("looked at the clock %d times", worked)
	if cost := m.read(); cost < 15*time.Millisecond {
		t.Errorf("20 ms of work cost %s", cost)
	}
}
