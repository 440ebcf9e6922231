//go:build linux

package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	leaseDuration = 15 * time.Second
	// quiet is the pause before the candidates count as idle: what a start and an election need is over.
	quiet = 20 * time.Second
	slack = 30 * time.Second
	// idleLook and outageLook are the times between two looks at the processes while nothing happens, and while the API server is away.
	idleLook, outageLook = 4 * time.Second, 2 * time.Second
)

// sized returns what a flag says; where it says nothing, the full size or the short one of -short.
func sized[T int | time.Duration](given, full, short T) T {
	switch {
	case given != 0:
		return given
	case testing.Short():
		return short
	}
	return full
}

// TestIdle watches a leader and a standby of each kind at the same time: while nothing happens, and then while the API server is away.
// Each has a control group of its own, whose working set is what the kubelet counts. The pages of the programs are in the page cache
// before, as after the pull of an image, and charged to none of the groups: TestFleet measures what a node pays for them.
func TestIdle(t *testing.T) {
	cluster := harness.Start(t) // its own: it is ended
	var all []*watched
	for _, b := range builds(t) {
		warm(t, b.path)
		record(t, result.Series{Figure: "binary", Subject: b.subject, Unit: "MiB", Values: []float64{size(t, b.path)}})
		all = append(all, sidecars(t, cluster, b, "")...)
		all = append(all, sidecars(t, cluster, b, "-membership", "--membership")...)
		all = append(all, sidecars(t, cluster, b, "-child", "--", "sleep", "1000000")...)
	}
	peer := harness.PeerBinary(t, "v0.37")
	warm(t, peer)
	record(t, result.Series{
		Figure: "binary", Subject: result.ClientGo, Unit: "MiB", Values: []float64{size(t, peer)},
		Note: "a program with nothing but the elector",
	})
	all = append(all, peers(t, cluster, result.ClientGo, peerDefaults)...)
	all = append(all, peers(t, cluster, result.Tuned, peerTuned)...)

	stop := probing(all)
	defer stop()
	time.Sleep(sized(0, quiet, 8*time.Second))
	observe(t, all, "idle", sized(*idleSpan, 5*time.Minute, 12*time.Second), idleLook)
	cluster.KillAPI(t)
	observe(t, all, "outage", sized(*outageSpan, 2*time.Minute, 12*time.Second), outageLook)
}

// observe watches processes for a while, and records what each has used.
func observe(t *testing.T, all []*watched, phase string, span, look time.Duration) {
	t.Helper()
	for _, w := range all {
		w.begin(t)
	}
	start := time.Now()
	for time.Since(start) < span {
		time.Sleep(min(look, span-time.Since(start)))
		for _, w := range all {
			w.look(t)
		}
	}
	took := time.Since(start).Seconds()
	for _, w := range all {
		used := w.before.plus(w.last).since(w.from)
		one := func(v float64) []float64 { return []float64{v} }
		for _, s := range []result.Series{
			{Figure: "cpu", Unit: "% of a core", Values: one(100 * used.cpu.Seconds() / took)},
			{Figure: "wakeups", Unit: "1/s", Values: one(float64(used.voluntary) / took)},
			{Figure: "switches", Unit: "1/s", Values: one(float64(used.voluntary+used.involuntary) / took)},
			{Figure: "rss", Unit: "MiB", Values: w.rss},
			{Figure: "private", Unit: "MiB", Values: w.private},
			{Figure: "working-set", Unit: "MiB", Values: w.sets},
		} {
			if len(s.Values) == 0 {
				continue // a guard is in the group of its sidecar
			}
			s.Figure, s.Subject = phase+"/"+s.Figure+w.kind, w.subject
			s.Note = fmt.Sprintf("over %.0f s", took)
			if w.ended > 0 {
				s.Note += fmt.Sprintf("; the process ended %d times, and was started again", w.ended)
			}
			record(t, s)
		}
	}
}

// warm has the kernel read a program, for this process: it is then charged to nobody else.
func warm(t *testing.T, path string) {
	t.Helper()
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
}

// size is a file's, in MiB.
func size(t *testing.T, path string) float64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return float64(info.Size()) / (1 << 20)
}

// probing asks the sidecars as the kubelet and Prometheus do, if that is wanted, until stop is called.
func probing(all []*watched) (stop func()) {
	ended, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for round := 0; *probed; round++ {
			for _, w := range all {
				if w.sidecar == nil {
					continue
				}
				w.sidecar.ProbeStatus("/livez")
				w.sidecar.ProbeStatus("/readyz")
				if round%3 == 0 {
					w.sidecar.ProbeStatus("/metrics")
				}
			}
			select {
			case <-ticker.C:
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-joined
	}
}
