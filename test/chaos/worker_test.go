//go:build linux

package chaos

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The program of the replicas that run one while they lead is this test's own binary, with these arguments: the
// command, and the folder for its journals.
const workCommand = "work"

const (
	// workTick is how often the work notes that it goes on.
	workTick = 5 * time.Millisecond
	// workPause is the longest pause between two notes that still counts as work: after a longer one the process has
	// been frozen or starved, and a new stretch begins.
	workPause = 100 * time.Millisecond
)

// work writes when it worked until it is told to stop or killed. Each stretch is a line of a journal of its own:
// the first and the last instant at which it ran, and the term's token.
func work(folder string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	clock := bootclock.System{}
	journal, err := os.OpenFile(filepath.Join(folder, fmt.Sprintf("%d-%d", clock.Now(), os.Getpid())), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "work:", err)
		return 1
	}
	var line int64
	stretch := span{clock.Now(), clock.Now()}
	for tick := time.NewTicker(workTick); ; {
		now := clock.Now()
		if now.Sub(stretch.to) > workPause {
			stretch.from = now
			line++
		}
		stretch.to = now
		note := fmt.Sprintf("%-100s\n", fmt.Sprintf("%d %d %s", stretch.from, stretch.to, os.Getenv("LEASE_SIDECAR_TOKEN")))
		if _, err := journal.WriteAt([]byte(note), line*int64(len(note))); err != nil {
			fmt.Fprintln(os.Stderr, "work:", err)
			return 1
		}
		select {
		case <-tick.C:
		case <-stop:
			return 0
		}
	}
}

// stretch is a time throughout which the program worked.
type stretch struct {
	span
	token string
	// woken: it is not the process's first.
	woken bool
}

// stretches reads all journals in a folder.
func stretches(folder string) ([]stretch, error) {
	journals, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return nil, fmt.Errorf("find the journals: %w", err)
	}
	var all []stretch
	for _, path := range journals {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read a journal: %w", err)
		}
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if line == "" {
				continue // killed before its first note
			}
			s := stretch{woken: i > 0}
			if _, err := fmt.Sscanf(line, "%d %d %s", &s.from, &s.to, &s.token); err != nil {
				return nil, fmt.Errorf("read line %q of the journal %s: %w", line, path, err)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// wakeBound is how long a program may still run when its whole pod wakes, before the guard, which woke with it, has
// killed it. The protocol promises the kill, not that the guard runs first: such work is for the token to refuse.
const wakeBound = time.Second

// sorted divides what the program did into terms and what it did on waking with its frozen pod.
func sorted(all []stretch, replica string, frozen []span) (terms []harness.Term, waking []span) {
	for _, s := range all {
		excused := false
		for _, f := range frozen {
			since := s.from.Sub(f.to)
			excused = excused || s.woken && s.length() <= wakeBound && !s.from.Before(f.from) && since <= wakeBound
		}
		if excused {
			waking = append(waking, s.span)
			continue
		}
		terms = append(terms, harness.Term{Replica: replica, Channel: "program", Token: s.token, From: s.from, To: s.to})
	}
	return terms, waking
}

// TestWorkOnWaking sorts stretches around a freeze from 10 s to 20 s: only the short one that began with the
// wake-up is excused.
func TestWorkOnWaking(t *testing.T) {
	at := func(seconds float64) bootclock.Instant { return bootclock.Instant(seconds * 1e9) }
	frozen := []span{{at(10), at(20)}}
	for _, tc := range []struct {
		name   string
		from   float64
		to     float64
		woken  bool
		excuse bool
	}{
		{"before the freeze", 1, 10, false, false},
		{"at the wake-up", 20, 20.02, true, true},
		{"the freezer let go a little before it said so", 19.9, 20.02, true, true},
		{"at the wake-up, and on and on", 20, 21.5, true, false},
		{"long after the wake-up", 22, 22.1, true, false},
		{"a new process at the wake-up", 20, 20.02, false, false},
	} {
		terms, waking := sorted([]stretch{{span: span{at(tc.from), at(tc.to)}, token: "7", woken: tc.woken}}, "web-0", frozen)
		if (len(waking) == 1) != tc.excuse || len(terms)+len(waking) != 1 {
			t.Errorf("%s: %d terms, %d excused, want it excused: %v", tc.name, len(terms), len(waking), tc.excuse)
		}
	}
}

func TestStretchesReadsWhatWorkWrites(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("LEASE_SIDECAR_TOKEN", "4711")
	before := bootclock.System{}.Now()
	done := make(chan int)
	go func() { done <- work(folder) }()
	harness.Eventually(t, 10*time.Second, "the work has gone on for a while", func() bool {
		all, err := stretches(folder)
		return err == nil && len(all) > 0 && all[len(all)-1].length() > 0
	})
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 0 {
		t.Errorf("the work ends with %d, want 0", code)
	}
	signal.Reset(syscall.SIGTERM)
	all, err := stretches(folder)
	if err != nil || len(all) == 0 {
		t.Fatalf("the journals have %v, %v", all, err)
	}
	if first := all[0]; first.token != "4711" || first.woken || first.from.Before(before) {
		t.Errorf("the first stretch is %+v, want token 4711 and a start after %d", first, before)
	}
}
