package handover

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestAKilledWorkloadIsReleasedAtOnce kills the workload that works, with SIGKILL, and has another replica work in no
// time: the kernel tells of its end, by the run lock or by the connection of GET /running.
func TestAKilledWorkloadIsReleasedAtOnce(t *testing.T) {
	for _, follow := range []string{"file lock", "http open"} {
		t.Run(follow, func(t *testing.T) {
			t.Parallel()
			const kills = 12
			root := folder(t)
			setStop(t, root, 0)
			replicas := map[string]*replica{}
			for i := range 6 { // who has released rests for 5 s
				name := fmt.Sprintf("toy-%d", i)
				replicas[name] = newReplica(t, root, name, follow, "--lease-duration", "15s")
			}
			var took, released []time.Duration
			for range kills {
				var now spell
				eventually(t, "somebody works", func() (so bool) { now, so = working(t, root); return so })
				before := len(spells(t, root))
				// A lock that is let go within 20 ms of its file's opening is not seen: the sidecar keeps away from it.
				time.Sleep(250 * time.Millisecond)
				wall := time.Now()
				killed := replicas[now.name].killToy(root)
				var list []spell
				eventually(t, "the next one works", func() bool { list = spells(t, root); return len(list) > before })
				took = append(took, list[before].start.Sub(killed))
				released = append(released, replicas[now.name].released(wall).Sub(wall))
				replicas[now.name].toy = replicas[now.name].run(os.Args[0])
			}
			for _, o := range overlaps(spells(t, root)) {
				t.Errorf("two at work at once: %+v", o)
			}
			slices.Sort(took)
			slices.Sort(released)
			t.Logf("%d kills, from SIGKILL to the release: p50 %s, max %s; to the next one's work: p50 %s, max %s",
				kills, released[kills/2], released[kills-1], took[kills/2], took[kills-1])
			if median := released[kills/2]; median > 500*time.Millisecond {
				t.Errorf("the median is %s", median)
			}
		})
	}
}

// released returns when the sidecar has logged that the Lease is released, after that time.
func (r *replica) released(after time.Time) (at time.Time) {
	r.t.Helper()
	eventually(r.t, "the Lease is released", func() bool {
		log, err := os.ReadFile(filepath.Join(r.dir, "log"))
		if err != nil {
			r.t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			at, err = time.Parse(time.RFC3339Nano, stamp)
			if err == nil && strings.Contains(rest, "reason=Released") && at.After(after) {
				return true
			}
		}
		return false
	})
	return at
}

// killToy kills the workload, witnesses the end of its work, and returns when it was killed.
func (r *replica) killToy(root string) bootclock.Instant {
	r.t.Helper()
	at := bootclock.System{}.Now()
	if err := r.toy.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	// Not after the waiting: the next one may have begun by then, rightly.
	f, err := os.OpenFile(filepath.Join(root, witnessFile), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	_, _ = fmt.Fprintf(f, "stop %s %s\n", filepath.Base(r.dir), at)
	_ = r.toy.Wait()
	return at
}

// TestASlowStopGetsItsTime: the work takes 25 s to stop, with the run lock held and renewals going on; nobody else works
// meanwhile, and the next one starts at once after it.
func TestASlowStopGetsItsTime(t *testing.T) {
	t.Parallel()
	root := folder(t)
	setStop(t, root, 0)
	replicas := map[string]*replica{}
	for i := range 2 {
		name := fmt.Sprintf("toy-%d", i)
		replicas[name] = newReplica(t, root, name, "file lock", "--lease-duration", "6s")
	}
	const takes = 25 * time.Second
	took := handOver(t, root, replicas, (*replica).stepDown, takes)
	list := spells(t, root)
	for _, o := range overlaps(list) {
		t.Errorf("two at work at once: %+v", o)
	}
	t.Logf("the next one works %s after the stop", took)
	if took > 3*time.Second {
		t.Errorf("the next one works %s after the stop, as if nobody had seen it", took)
	}
}
