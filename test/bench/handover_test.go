//go:build linux

package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestHandover times planned handovers, of each build in turn: from SIGTERM of the leader, whose command ends at once, to
// the next replica's leader file.
func TestHandover(t *testing.T) {
	cluster := harness.Start(t)
	type field struct {
		build
		election *harness.Election
		replicas []*harness.Sidecar
		took     []time.Duration
	}
	var fields []*field
	for _, b := range builds(t) {
		f := &field{build: b, election: harness.NewElection(t, cluster, leaseDuration)}
		f.election.Ship(t)
		for i := range 3 {
			f.replicas = append(f.replicas, replica(t, f.election, fmt.Sprintf("web-%d", i), b.path, true))
		}
		harness.AwaitLeader(t, leaseDuration+slack, f.replicas...)
		fields = append(fields, f)
	}
	for range *handovers {
		for _, f := range fields {
			f.took = append(f.took, handover(t, f.election, f.replicas))
		}
	}
	for _, f := range fields {
		record(t, result.Series{Figure: "handover/total", Subject: f.subject, Unit: "ms", Values: milliseconds(f.took)})
	}
}

// handover ends the leader, times the next, and starts the old one again.
func handover(t *testing.T, e *harness.Election, replicas []*harness.Sidecar) time.Duration {
	t.Helper()
	leader := harness.AwaitLeader(t, leaseDuration+slack, replicas...)
	harness.Eventually(t, slack, "all know the leader", func() bool {
		return !slices.ContainsFunc(replicas, func(s *harness.Sidecar) bool { return s.State().Leader != leader.Pod })
	})
	time.Sleep(200 * time.Millisecond) // the command runs by then
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	for _, s := range harness.Others(replicas, leader) {
		if err := watcher.Add(s.Dir); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := leader.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	late := time.After(leaseDuration + slack)
	for {
		select {
		case event := <-watcher.Events:
			if filepath.Base(event.Name) != leadership.LeaderFile || !event.Has(fsnotify.Create) {
				continue
			}
			took := time.Since(start)
			leader.AwaitExit(t, slack, 0)
			leader.Start(t, e)
			return took
		case <-late:
			t.Fatal("nobody took over")
		}
	}
}
