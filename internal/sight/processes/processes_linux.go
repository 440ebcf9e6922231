// Package processes sees whether the workload runs by the process table of a pid namespace that the pod's containers share
// (shareProcessNamespace). All processes in it count, except the sidecar's own and the pause process.
//
// It sees every living process, of any user, but not those of a container with its own pid namespace. It cannot tell whether
// a program works or waits: only when the pod ends must all be gone. The package is for Linux.
//
//	/proc ── processes of the pod, oldest first ──▶ wait for one's end by its pidfd ──▶ look again ──▶ none left: stopped
package processes

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

const (
	// commMax is the length of a name in Linux, in bytes.
	commMax = 15
	// retryPause is the pause between looks if a process's end is not an event.
	retryPause = 20 * time.Millisecond
)

// Config says which processes to watch.
type Config struct {
	// Except names processes, by comm, that do not count: helpers that outlive the workload.
	Except []string
	// Log records what cannot be seen (Warn, when it changes).
	Log *slog.Logger
}

// Processes sees the workload by all processes of the pid namespace. It is safe for concurrent use.
type Processes struct {
	cfg Config

	mu      sync.Mutex
	seen    bool
	trouble trouble.Last
}

var _ sight.Sight = (*Processes)(nil)

// ParseNames reads NAME,NAME. "" is none. Its error is a [*field.Error].
func ParseNames(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	names := strings.Split(s, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if names[i] == "" || strings.ContainsAny(names[i], "/\x00\n") {
			return nil, field.Quoted("Except", s, "bare names of programs with commas between, such as envoy,pilot-agent, not %q", name)
		}
	}
	return names, nil
}

// CheckNamespace returns an error if this process is the first of its pid namespace, which it then does not share.
func CheckNamespace() error {
	if os.Getpid() == 1 {
		return errors.New("the sidecar is the first process of its pid namespace, so it shares none: set shareProcessNamespace: true in the pod's spec")
	}
	return nil
}

// New returns the sight, after a first look.
func New(cfg Config) *Processes {
	cfg.Except = slices.Clone(cfg.Except)
	for i, name := range cfg.Except {
		cfg.Except[i] = name[:min(len(name), commMax)]
	}
	p := &Processes{cfg: cfg}
	_, _ = p.living() // unreadable processes are looked at again
	return p
}

// Name returns "processes".
func (p *Processes) Name() string { return "processes" }

// Kills returns false.
func (p *Processes) Kills() bool { return false }

// State reads the table. While a process is alive, it is Running if the pod is about to end, else Unknown, as the process
// may be a standby. It is Stopped once there were some and none is left.
func (p *Processes) State(ending bool) sight.State {
	living, err := p.living()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil, len(living) == 0 && !p.seen:
		return sight.Unknown
	case len(living) == 0:
		return sight.Stopped
	case ending:
		return sight.Running
	}
	return sight.Unknown
}

// Watch calls changed when the last process has ended. It waits for one process at a time by its pidfd, since nothing
// changes while one is alive. If that fails, it looks every 20 ms.
func (p *Processes) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		living, err := p.living()
		if err == nil && len(living) == 0 {
			changed()
		} else if err == nil && outlast(ctx, living[0]) {
			continue
		}
		_ = bootclock.Sleep(ctx, bootclock.System{}, retryPause) // an error ends the loop
	}
}

// living returns the processes that count, the oldest first.
func (p *Processes) living() ([]procfs.Process, error) {
	all, err := procfs.Read()
	p.mu.Lock()
	if p.trouble.Changed(err) && err != nil {
		p.cfg.Log.Warn("the workload's processes cannot be seen", "reason", "ProcessesUnseen", "error", err)
	}
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	own, above := map[int]bool{}, all.Ancestors(self)
	for _, one := range all.Family(self) {
		own[one.PID] = true
	}
	var living []procfs.Process
	for _, one := range all {
		if !own[one.PID] && !above[one.PID] && !system(all, one) && !slices.Contains(p.cfg.Except, one.Comm) {
			living = append(living, one)
		}
	}
	slices.SortFunc(living, func(a, b procfs.Process) int { return int(int64(a.Start) - int64(b.Start)) })
	if len(living) > 0 {
		p.mu.Lock()
		p.seen = true
		p.mu.Unlock()
	}
	return living, nil
}

// system reports whether a process is the pod's pause process or, with hostPID, a kernel thread.
func system(all procfs.Table, one procfs.Process) bool {
	kernel := all[2].Comm == "kthreadd" && (one.PID == 2 || one.Parent == 2)
	return kernel || one.Comm == "pause" && one.Parent == 0
}

// outlast waits for a process's end. It reports false if it cannot, or if ctx ends first.
func outlast(ctx context.Context, one procfs.Process) bool {
	held, err := procfs.Open(one)
	if err != nil {
		return errors.Is(err, procfs.ErrOver)
	}
	defer held.Close()
	select {
	case <-held.Exited():
		return true
	case <-ctx.Done():
		return false
	}
}
