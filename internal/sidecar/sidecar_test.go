//go:build linux

package sidecar

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// TestMain makes this binary its own guard, as the command is.
func TestMain(m *testing.M) {
	guardtest.GuardItself(guard.Invoked, guard.Main)
	goleak.VerifyTestMain(m)
}

// journal is a log that a test reads while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// testConfig is a sidecar with files, on a store and a signal directory of its own; the lease duration is 3 s.
func testConfig(t *testing.T) (Config, *journal) {
	t.Helper()
	log := &journal{}
	return Config{
		Election: elector.Config{
			Lease: "web", Namespace: "default", Workload: "deployment/web", Duration: 3 * time.Second, Priority: elector.MaxPriority,
		}.WithDefaults(),
		Replica: Replica{Name: "web-a"}, Node: "node-1", Version: "test",
		Log:       slog.New(slog.NewTextHandler(log, nil)),
		Store:     Store{Dir: filepath.Join(t.TempDir(), "store")},
		SignalDir: t.TempDir(), HTTPAddress: "127.0.0.1:0", ProbeAddress: "127.0.0.1:0", AllowStepDown: true,
		StopTimeout: time.Second,
		Health:      health.Config{Interval: time.Second, Threshold: 1, SuccessThreshold: 1},
	}, log
}

// TestRunsInProcess: a sidecar leads, hands over when its context ends, and leaves nothing behind; the same value runs again after
// that, and so does another one. All in one process.
func TestRunsInProcess(t *testing.T) {
	cfg, log := testConfig(t)
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]bool{}
	for i, s := range []*Sidecar{first, first, second} {
		others := goleak.IgnoreCurrent()
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, nil) }()
		var l leadership.Leadership
		guardtest.Within(t, "it leads", func() bool {
			l, err = leadership.Read(cfg.SignalDir)
			return err == nil && l.IsLeader
		})
		if tokens[l.Token] {
			t.Errorf("run %d: the token %s was used before", i, l.Token)
		}
		tokens[l.Token] = true
		cancel(errors.New("the test is over"))
		if err := <-ended; err != nil {
			t.Errorf("run %d ended with %v", i, err)
		}
		if l, err := leadership.Read(cfg.SignalDir); err != nil || l.IsLeader {
			t.Errorf("run %d: in the end the directory says %+v, %v", i, l, err)
		}
		if err := goleak.Find(others); err != nil {
			t.Errorf("run %d: %v", i, err)
		}
	}
	for text, want := range map[string]int{
		"msg=campaigning node=node-1 reason=Campaigning":              3,
		`msg=ended node=node-1 reason=Ended cause="the test is over"`: 3,
		`msg=listening node=node-1 reason=Listening for=http-address`: 3,
		`msg="no longer leading" node=node-1 reason=Released`:         3,
		"level=ERROR": 0,
	} {
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is in the log %d times, want %d:\n%s", text, got, want, log)
		}
	}
}

// TestTwoOfOneDirectory: the second of two sidecars waits for the first one's lock, and ends while it waits. It writes nothing there, also
// if it is of another election, on another store: whoever reads the directory finds one election.
func TestTwoOfOneDirectory(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"one election":  func(*Config) {},
		"two elections": func(c *Config) { c.Election.Lease, c.Store.Dir = "another", c.Store.Dir+"-of-another" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, log := testConfig(t)
			second := cfg
			change(&second)
			var running sync.WaitGroup
			defer running.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, one := range []Config{cfg, second} {
				s, err := New(one)
				if err != nil {
					t.Fatal(err)
				}
				running.Go(func() {
					if err := s.Run(ctx, nil); err != nil {
						t.Errorf("it ended with %v", err)
					}
				})
				guardtest.Within(t, "one campaigns", func() bool { return strings.Contains(log.String(), "msg=campaigning") })
			}
			guardtest.Within(t, "the other waits", func() bool { return strings.Contains(log.String(), "reason=SignalDirHeld") })
			guardtest.Within(t, "the first leads", func() bool {
				l, err := leadership.Read(cfg.SignalDir)
				return err == nil && l.IsLeader
			})
			state, err := os.ReadFile(filepath.Join(cfg.SignalDir, leadership.StateFile))
			if want := `"lease":"` + cfg.Election.Lease + `"`; err != nil || !strings.Contains(string(state), want) {
				t.Errorf("the directory says %s, %v; want %s", state, err, want)
			}
			cancel()
			running.Wait()
			if got := strings.Count(log.String(), "msg=campaigning"); got != 1 {
				t.Errorf("%d campaigned, want 1:\n%s", got, log)
			}
		})
	}
}

// TestNewRefuses: faults come all at once, with the paths of their fields.
func TestNewRefuses(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.Election.RenewDeadline = cfg.Election.Duration
	cfg.Health.Threshold = 0
	cfg.StopTimeout = 0
	cfg.ProbeAddress = "unix:x"
	cfg.DebugAddress = "0.0.0.0:6060"
	cfg.Events = true
	_, err := New(cfg)
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"Election.RenewDeadline 3s", "Health.Threshold 0", `StopTimeout "0s"`, `ProbeAddress "unix:x"`, `DebugAddress "0.0.0.0:6060": want 127.0.0.1:PORT, unix:PATH`, "Store dir:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}

// TestStartedWhileADocumentStands: the process before has left a document whose term runs, and the Lease cannot be read.
// The election publishes nothing then, and the workload may start all the same: the state is written.
func TestStartedWhileADocumentStands(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, stands := range []bool{true, false} {
		a := &assembly{
			kit: &kit{log: log}, first: make(chan struct{}),
			fanOut: signals.NewFanOut(log, bootclock.System{}, nil),
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.awaitStart(ctx, stands) })
		if stands {
			guardtest.Within(t, "the workload may start", a.started.Load)
		} else if time.Sleep(50 * time.Millisecond); a.started.Load() {
			t.Error("the workload may start without a document")
		}
		cancel()
		running.Wait()
	}
}
