//go:build linux

package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// usage is what a process has used since it started, and the memory that it has now.
type usage struct {
	cpu                    time.Duration // as the scheduler counts it, in nanoseconds
	voluntary, involuntary int           // context switches; each voluntary one is followed by a wake-up
	rss, private           float64       // MiB: resident memory, and the part of it that no other process shares
}

// since returns what was used after v. The memory is that of u.
func (u usage) since(v usage) usage {
	u.cpu, u.voluntary, u.involuntary = u.cpu-v.cpu, u.voluntary-v.voluntary, u.involuntary-v.involuntary
	return u
}

// plus returns the sum of what two processes have used, one after the other. The memory is that of u.
func (u usage) plus(v usage) usage {
	u.cpu, u.voluntary, u.involuntary = u.cpu+v.cpu, u.voluntary+v.voluntary, u.involuntary+v.involuntary
	return u
}

// usageOf sums over the threads of a process; false where it has ended.
func usageOf(pid int) (u usage, alive bool) {
	for _, tid := range harness.Threads(pid) {
		var ns int64
		schedstat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", pid, tid))
		_, _ = fmt.Sscan(string(schedstat), &ns)
		u.cpu += time.Duration(ns)
		u.voluntary += harness.StatusField(tid, "voluntary_ctxt_switches")
		u.involuntary += harness.StatusField(tid, "nonvoluntary_ctxt_switches")
	}
	memory, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(memory)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		var kib float64
		_, _ = fmt.Sscan(fields[1], &kib)
		switch fields[0] {
		case "Rss:":
			u.rss = kib / 1024
		case "Private_Clean:", "Private_Dirty:":
			u.private += kib / 1024
		}
	}
	return u, u.rss > 0
}

// usageNow is usageOf for a process that must be there.
func usageNow(t *testing.T, pid int) usage {
	t.Helper()
	u, alive := usageOf(pid)
	if !alive {
		t.Fatalf("process %d has ended", pid)
	}
	return u
}

// TestUsage: a process that computes for a while is seen to.
func TestUsage(t *testing.T) {
	from, _ := usageOf(os.Getpid())
	sum := 0
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		sum++
	}
	time.Sleep(time.Millisecond)
	used, alive := usageOf(os.Getpid())
	used = used.since(from)
	if !alive || used.cpu < 20*time.Millisecond || used.cpu > 10*time.Second || used.voluntary == 0 ||
		used.private < 1 || used.rss < used.private {
		t.Errorf("300 ms of counting to %d are seen as %+v, alive: %v", sum, used, alive)
	}
	if _, alive := usageOf(1 << 30); alive {
		t.Error("a process that is not there is alive")
	}
}
