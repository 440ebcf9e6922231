//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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

// usageOf sums over the threads of a process. Those of a Go program hardly ever end.
func usageOf(t *testing.T, pid int) (u usage) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	tasks, err := filepath.Glob(dir + "/task/*")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("process %d has no threads: it has ended: %v", pid, err)
	}
	for _, task := range tasks {
		if ns, ok := number(fields(task+"/schedstat"), 0); ok {
			u.cpu += time.Duration(ns)
		}
		status := keys(task + "/status")
		n, _ := number(status["voluntary_ctxt_switches"], 0)
		u.voluntary += n
		n, _ = number(status["nonvoluntary_ctxt_switches"], 0)
		u.involuntary += n
	}
	u.rss, _ = number(keys(dir + "/status")["VmRSS"], 0)
	if stat := fields(dir + "/stat"); len(stat) > 14 { // no name of these programs has a blank in it
		user, _ := number(stat, 13)
		system, _ := number(stat, 14)
		u.ticks = time.Duration(user+system) * 10 * time.Millisecond
	}
	return u
}

// fields returns the fields of a file; none where it has gone.
func fields(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Fields(string(b))
}

// keys returns the values behind each key of a file of lines "key: values".
func keys(path string) map[string][]string {
	b, _ := os.ReadFile(path)
	found := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if key, values, ok := strings.Cut(line, ":"); ok {
			found[key] = strings.Fields(values)
		}
	}
	return found
}

func number(values []string, i int) (int, bool) {
	if i >= len(values) {
		return 0, false
	}
	n, err := strconv.Atoi(values[i])
	return n, err == nil
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
