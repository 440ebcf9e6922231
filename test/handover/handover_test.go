package handover

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var (
	handoverCount = flag.Int("handovers", 21, "how many handovers there are of each kind")
	longestStop   = flag.Duration("stop", 200*time.Millisecond, "how long the work takes to stop, at most; once of each kind it is 2 s")
)

// bySignal tells the toy by process signals.
var bySignal = []string{"--pid-file", here + pidFile, "--on-elected", "USR1", "--on-lost", "USR2"}

// TestTheNextNeverStartsBeforeTheLastHasStopped: 200 handovers and more, over the ways to hear and to say that the work
// has stopped, each of a workload that takes up to 200 ms to stop, and once in each way 2 s. `make handovers` has 200 of
// each way, with stops of up to 2 s.
func TestTheNextNeverStartsBeforeTheLastHasStopped(t *testing.T) {
	for _, c := range []struct {
		name     string
		follow   string
		replicas int
		flags    []string
		act      func(*replica)
	}{
		// Who has stepped down stays out for 5 s, hence the number of replicas.
		{"file, drained, step-down", "file", 6, nil, (*replica).stepDown},
		{"file, drained, classic placement", "file", 3, []string{"--placement", "classic"}, (*replica).restartClassic},
		{"HTTP, drained, step-down", "http", 6, nil, (*replica).stepDown},
		{
			"HTTP, health endpoint, native placement", "http silent", 3,
			[]string{"--health-tcp", "unix:" + here + appSocket},
			(*replica).restartClassic,
		},
		{
			"HTTP, health endpoint, classic placement", "http silent", 3,
			[]string{"--placement", "classic", "--health-tcp", "unix:" + here + appSocket},
			(*replica).restartClassic,
		},
		{"process signal, drained, step-down", "signal", 6, bySignal, (*replica).stepDown},
		{"process signal, its exit, classic placement", "signal silent", 3, append([]string{"--placement", "classic"}, bySignal...), (*replica).restartClassic},
		{"process signal, its exit, native placement", "signal silent", 3, bySignal, (*replica).restartNative},
		{"file, run lock, step-down", "file lock", 6, nil, (*replica).stepDown},
		{"file, run lock, SIGTERM", "file lock", 3, nil, (*replica).restartClassic},
		{"HTTP, GET /running, step-down", "http open", 6, nil, (*replica).stepDown},
		{"HTTP, GET /running, SIGTERM", "http open", 3, nil, (*replica).restartClassic},
		{"child, step-down", "start", 6, nil, (*replica).stepDown},
		{"child, SIGTERM", "start", 3, nil, (*replica).restartClassic},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := folder(t)
			setStop(t, root, 0)
			replicas := map[string]*replica{}
			for i := range c.replicas {
				name := fmt.Sprintf("toy-%d", i)
				replicas[name] = newReplica(t, root, name, c.follow, append([]string{"--lease-duration", "6s"}, c.flags...)...)
			}
			chance := rand.New(rand.NewPCG(1, uint64(len(c.name))))
			var took []time.Duration
			handovers := *handoverCount
			for i := range handovers {
				takes := time.Duration(chance.Int64N(int64(*longestStop)))
				if i == handovers/2 {
					takes = 2 * time.Second
				}
				took = append(took, handOver(t, root, replicas, c.act, takes))
			}
			list := spells(t, root)
			for _, o := range overlaps(list) {
				t.Errorf("two at work at once: %+v", o)
			}
			if got := len(list); got < handovers+1 {
				t.Errorf("%d spells of work, want %d or more", got, handovers+1)
			}
			slices.Sort(took)
			t.Logf("%d handovers, from the stop of the work to the next start: p50 %s, max %s", len(took), took[len(took)/2], took[len(took)-1])
		})
	}
}

// handOver waits for somebody to work, makes it hand over, and returns the time from the end of its work to the begin of
// the next one's.
func handOver(t *testing.T, root string, replicas map[string]*replica, act func(*replica), takes time.Duration) time.Duration {
	t.Helper()
	setStop(t, root, takes)
	var now spell
	eventually(t, "somebody works", func() (so bool) { now, so = working(t, root); return so })
	before := len(spells(t, root))
	act(replicas[now.name])
	var list []spell
	eventually(t, "the next one works", func() bool { list = spells(t, root); return len(list) > before })
	return list[before].start.Sub(list[before-1].stop)
}

// setStop says how long a toy takes to stop from now on.
func setStop(t *testing.T, root string, takes time.Duration) {
	t.Helper()
	path := filepath.Join(root, stopFile)
	if err := os.WriteFile(path+".new", []byte(takes.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
