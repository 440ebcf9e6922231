//go:build linux

package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// usage is what a process has used since it started.
type usage struct {
	cpu                    time.Duration // as the scheduler counts it, in nanoseconds
	ticks                  time.Duration // utime + stime, in steps of 10 ms
	voluntary, involuntary int           // context switches
	rss                    int           // now, in KiB
}

func (u usage) since(v usage) usage {
	return usage{
		cpu: u.cpu - v.cpu, ticks: u.ticks - v.ticks,
		voluntary: u.voluntary - v.voluntary, involuntary: u.involuntary - v.involuntary, rss: u.rss,
	}
}

// usageOf sums over the threads of a process.
func usageOf(t *testing.T, pid int) usage {
	t.Helper()
	threads := harness.Threads(pid)
	if len(threads) == 0 {
		t.Fatalf("process %d has no threads: it has ended", pid)
	}
	u := usage{ticks: harness.CPUTime(t, pid), rss: harness.StatusField(pid, "VmRSS")}
	for _, tid := range threads {
		var ns int64
		schedstat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", pid, tid))
		_, _ = fmt.Sscan(string(schedstat), &ns)
		u.cpu += time.Duration(ns)
		u.voluntary += harness.StatusField(tid, "voluntary_ctxt_switches")
		u.involuntary += harness.StatusField(tid, "nonvoluntary_ctxt_switches")
	}
	return u
}

// TestUsage: a process that computes for a while is seen to.
func TestUsage(t *testing.T) {
	from := usageOf(t, os.Getpid())
	sum := 0
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		sum++
	}
	time.Sleep(time.Millisecond)
	used := usageOf(t, os.Getpid()).since(from)
	if used.cpu < 20*time.Millisecond || used.cpu > 10*time.Second || used.voluntary == 0 || used.rss < 1000 {
		t.Errorf("300 ms of counting to %d are seen as %+v", sum, used)
	}
}
