//go:build linux

package work

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

var (
	duration      = flag.Duration("duration", 45*time.Second, "how long the faults go on, with the calm after them")
	leaseDuration = flag.Duration("lease-duration", 0, "the lease duration; 0 draws 3, 4 or 5 s")
	seed          = flag.Uint64("seed", 1, "the first seed; 0 takes one from the clock")
	seeds         = flag.Int("seeds", 1, "how many seeds are played, one after the other in number and all at once")
	reportPath    = flag.String("report", "", "a file to which the figures of all seeds are written as JSON")
)

// reports are the figures of all seeds.
var reports struct {
	sync.Mutex
	all []summary
}

// TestChaosOfWork plays schedules against four replicas each. It fails where two replicas worked at one instant, where a
// Lease was released under work that went on, where a sidecar ended by itself, and where so little was done or worked
// that this would prove nothing.
func TestChaosOfWork(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if *reportPath == "" {
			return
		}
		text, err := json.MarshalIndent(reports.all, "", "  ")
		if err == nil {
			err = os.WriteFile(*reportPath, append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Errorf("write the report: %v", err)
		}
	})
	for i := range *seeds {
		t.Run(fmt.Sprintf("seed %d", first+uint64(i)), func(t *testing.T) {
			t.Parallel()
			playSeed(t, first+uint64(i))
		})
	}
}

// modes returns the replicas' modes: each once, one of them twice with three seeds.
func modes(chance *rand.Rand) []mode {
	four := []mode{child, fence, ended, []mode{child, fence, news}[chance.IntN(3)]}
	chance.Shuffle(len(four), func(i, j int) { four[i], four[j] = four[j], four[i] })
	return four
}

func playSeed(t *testing.T, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 0))
	d := time.Duration(3+chance.IntN(3)) * time.Second
	if *leaseDuration != 0 {
		d = *leaseDuration
	}
	f := newField(t, seed, d)
	f.span = max(*duration-3*d, 2*d)
	f.flags = []string{
		"--placement", []string{"native", "classic"}[chance.IntN(2)],
		// A short one lets an unhealthy leader be healthy again before its term has run out.
		"--health-cooldown", []string{"1s", "4s", "8s"}[chance.IntN(3)],
		// An endpoint that is gone would hide what the other sights see.
		"--health-proves-stop=" + []string{"true", "false"}[seed%2],
	}
	if stop := time.Duration(2+chance.IntN(7)) * time.Second; knows(t, "--stop-timeout") {
		f.flags = append(f.flags, "--stop-timeout", stop.String())
	}
	schedule := Plan{Seed: seed, Span: f.span, D: d}.Draw()
	four := modes(chance)
	t.Logf("seed %d: modes %v, flags %v, D = %s, %d faults of the main lane and %d of the side lane in %s",
		seed, four, f.flags, d, len(schedule.Main), len(schedule.Side), f.span)
	for i, m := range four {
		f.replicas = append(f.replicas, f.newReplica(t, i, m, nil))
	}
	f.awaitWork(t, 2*d+slack)
	stopLogging := f.logEachMinute(t)
	f.play(t, schedule)
	stopLogging()
	for _, r := range f.replicas {
		r.heal()
	}
	f.revive(t)
	time.Sleep(d)
	f.awaitWork(t, 2*d+exitBound)
	f.finish(t)
}

// finish judges a run and reports on it.
func (f *field) finish(t *testing.T) {
	t.Helper()
	v := f.judge(t)
	s := f.summary(v)
	t.Log(s)
	reports.Lock()
	reports.all = append(reports.all, s)
	reports.Unlock()
	f.blame(t, v)
	if least := max(2, int(s.Seconds/15)); s.Handovers < least {
		t.Errorf("the work went to another replica %d times, want at least %d: such a run proves little", s.Handovers, least)
	}
	if s.WorkSeconds < 0.2*s.Seconds {
		t.Errorf("somebody worked for %.1f s of %.1f s, want a fifth at least: such a run proves little", s.WorkSeconds, s.Seconds)
	}
}

// awaitWork waits until somebody works: the newest mark is young.
func (f *field) awaitWork(t *testing.T, bound time.Duration) {
	t.Helper()
	for deadline := now().Add(bound); now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		look := now()
		for _, s := range f.judge(t).work() {
			if look.Sub(s.to) < journal.Pause {
				return
			}
		}
	}
	t.Errorf("nobody works within %s", bound)
}

// logEachMinute writes how it stands until the returned function is called.
func (f *field) logEachMinute(t *testing.T) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(time.Minute); ; {
			select {
			case <-quit:
				tick.Stop()
				return
			case <-tick.C:
				t.Log(f.summary(f.judge(t)))
			}
		}
	}()
	return func() { close(quit); <-done }
}

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// knows reports whether the sidecar under test has a flag of run.
func knows(t *testing.T, flag string) bool {
	t.Helper()
	out, _ := harness.RunCommand(t, harness.Binary(t), "run", "--help")
	return strings.Contains(out, flag+" ")
}
