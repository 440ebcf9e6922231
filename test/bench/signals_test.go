//go:build linux

package bench

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	terms  = flag.Int("terms", 0, "how many terms TestSignals times; 0: 300, or 15 with -short")
	starts = flag.Int("starts", 0, "how many starts of a sidecar TestSignals times; 0: 50, or 5 with -short")
)

// TestSignals times how long the answer to the take of a Lease needs until it is a leader file, an event over HTTP, a process signal
// and a command that runs: of each build in turn, and of a program that does the same by hand. Each runs in a pid namespace of its own
// and with a signal directory in memory, as in the pods of the examples. Another holder's name is written into the Lease by hand, and
// its release: the sidecar takes it, by a proxy that notes when the answer passes. And it times starts: from the start of the process to the
// leader file, of a Lease that is free.
func TestSignals(t *testing.T) {
	cluster := harness.Start(t)
	var rigs []*signalRig
	for _, b := range builds(t) {
		for _, kind := range signalKinds {
			rigs = append(rigs, newSignalRig(t, cluster, b, kind))
		}
	}
	hand := newHand(t, cluster)
	for range samples(*terms, 300, 15) {
		for _, r := range rigs {
			r.term(t)
		}
		hand.round(t)
	}
	for _, r := range rigs {
		r.record(t)
	}
	for _, name := range handJobs {
		record(t, result.Series{Figure: "signal/" + name, Subject: result.Floor, Unit: "ms", Values: milliseconds(hand.took[name])})
	}
	var first []time.Duration
	for i := range samples(*starts, 50, 5) {
		first = append(first, firstSignal(t, cluster, fmt.Sprintf("web-%d", i)))
	}
	record(t, result.Series{Figure: "start/first-signal", Subject: result.Sidecar, Unit: "ms", Values: milliseconds(first)})
}

// firstSignal starts a sidecar on a free Lease, and returns how long that takes to a leader file.
func firstSignal(t *testing.T, cluster *harness.Cluster, pod string) time.Duration {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	s := e.Prepare(t, pod)
	s.Args = append(s.Args, "--log-level", "info")
	files := watchFiles(t, s.Dir)
	start := time.Now()
	s.Start(t, e)
	_, at := awaitFile(t, files)
	s.Stop(0)
	return at.Sub(start)
}

func watchFiles(t *testing.T, dirs ...string) *fsnotify.Watcher {
	t.Helper()
	files, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	for _, dir := range dirs {
		if err := files.Add(dir); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
