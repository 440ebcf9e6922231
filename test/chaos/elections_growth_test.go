//go:build linux

package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// resources are what a process holds.
type resources struct{ ResidentKiB, Descriptors, Threads int }

// weigh reads them; zero values where the process has ended.
func weigh(pid int) resources {
	var r resources
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		r.Descriptors = len(open)
	}
	r.ResidentKiB, r.Threads = harness.StatusField(pid, "VmRSS"), harness.StatusField(pid, "Threads")
	return r
}

// What a sidecar may hold more of at the end of a soak than at its beginning. A leak in an hour of faults is more.
const (
	moreKiB         = 8 << 10
	moreDescriptors = 8
	moreThreads     = 8
	moreGoroutines  = 8
)

// restTime is how long a soak's processes have to reach what they always hold, and to come to rest.
const restTime = time.Minute

// checkGrowth fails where a sidecar that has run all the time holds more than it did.
func (f *contest) checkGrowth(t *testing.T, before []resources) {
	t.Helper()
	for i, c := range f.candidates {
		was, is := before[i], c.weigh()
		if is.ResidentKiB == 0 {
			t.Errorf("%s is not there to be weighed", ourName(i))
		}
		if is.outgrows(was) {
			t.Errorf("%s has grown from %v to %v", ourName(i), was, is)
		}
	}
}

func (r resources) outgrows(was resources) bool {
	return r.ResidentKiB > was.ResidentKiB+moreKiB || r.Descriptors > was.Descriptors+moreDescriptors || r.Threads > was.Threads+moreThreads
}

func TestOutgrows(t *testing.T) {
	was := resources{ResidentKiB: 10 << 10, Descriptors: 20, Threads: 8}
	for _, tc := range []struct {
		name string
		is   resources
		want bool
	}{
		{"the same", was, false},
		{"a little more of all", resources{18 << 10, 28, 16}, false},
		{"more memory", resources{18<<10 + 1, 20, 8}, true},
		{"more descriptors", resources{10 << 10, 29, 8}, true},
		{"more threads", resources{10 << 10, 20, 17}, true},
	} {
		if got := tc.is.outgrows(was); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestWeigh weighs this test itself, which is there, and nobody, who is not.
func TestWeigh(t *testing.T) {
	if got := weigh(os.Getpid()); got.ResidentKiB == 0 || got.Descriptors < 3 || got.Threads == 0 {
		t.Errorf("this process holds %v", got)
	}
	if got := weigh(0); got != (resources{}) {
		t.Errorf("nobody holds %v", got)
	}
}

func (f *contest) weighAll() []resources {
	var all []resources
	for _, c := range f.candidates {
		all = append(all, c.weigh())
	}
	return all
}

func (r resources) String() string {
	return fmt.Sprintf("%.1f MiB, %d descriptors, %d threads", float64(r.ResidentKiB)/1024, r.Descriptors, r.Threads)
}

// checkGoroutines ends a sidecar that has run all the time in the way that makes Go list its goroutines, and one that
// has just come to rest in its place: the old one may have few more.
func (f *contest) checkGoroutines(t *testing.T, c *candidate) {
	t.Helper()
	old := c.goroutines(t)
	c.start(t, f.ours)
	time.Sleep(restTime / 2)
	fresh := c.goroutines(t)
	c.start(t, f.ours)
	t.Logf("%s had %d goroutines in the end, a fresh one has %d", ourName(c.index), old, fresh)
	if old == 0 || fresh == 0 || old > fresh+moreGoroutines {
		t.Errorf("%s had %d goroutines, a fresh one has %d", ourName(c.index), old, fresh)
	}
}

// goroutines ends ours with SIGABRT, and theirs beside it, and counts what Go printed.
func (c *candidate) goroutines(t *testing.T) int {
	t.Helper()
	already := len(c.ours.Log())
	c.end(t, syscall.SIGABRT)
	return strings.Count(c.ours.Log()[already:], "\ngoroutine ")
}

// checkBudget watches a calm minute and fails where ours ask for more than the documented budget: 0.36 requests a
// second at D = 15 s, which is 1.08 for each renewal.
func (f *contest) checkBudget(t *testing.T, d time.Duration) {
	t.Helper()
	budget := 1.08 / max(d/5, time.Second).Seconds()
	from := time.Now()
	time.Sleep(restTime)
	rate := f.ours.RequestRate(t, from, time.Now())
	t.Logf("in a calm minute ours make %.2f requests a second, theirs %.2f; the budget is %.2f",
		rate, f.theirs.RequestRate(t, from, time.Now()), budget)
	if rate > budget || rate == 0 {
		t.Errorf("ours make %.2f requests a second in calm, want at most %.2f, and some", rate, budget)
	}
}
