package processes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

const (
	// commMax is what Linux keeps of a name, in bytes.
	commMax = 15
	// retryPause is the time until the next look where a process's end does not come as an event.
	retryPause = 20 * time.Millisecond
)

// Processes sees the workload by all processes of the pid namespace. Its methods may be called from several goroutines
// at once.
type Processes struct {
	cfg Config

	mu      sync.Mutex
	seen    bool
	trouble string
}

var _ sight.Sight = (*Processes)(nil)

// CheckNamespace returns an error where this process shares its pid namespace with nobody, as its first process.
func CheckNamespace() error {
	if os.Getpid() == 1 {
		return errors.New("the sidecar is the first process of its pid namespace, so it shares none: set shareProcessNamespace: true in the pod's spec")
	}
	return nil
}

// New returns the sight, and looks once.
func New(cfg Config) *Processes {
	cfg.Except = slices.Clone(cfg.Except)
	for i, name := range cfg.Except {
		cfg.Except[i] = name[:min(len(name), commMax)]
	}
	p := &Processes{cfg: cfg}
	_, _ = p.living() // what cannot be read now is looked at again
	return p
}

// Name returns "processes".
func (p *Processes) Name() string { return "processes" }

// Kills reports false.
func (p *Processes) Kills() bool { return false }

// State looks at the table. While any process lives it says Running when the pod ends, and else Unknown, as a process may
// live on and stand by; Stopped once there were some and none is left.
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

// Watch calls changed when the last process has ended, and where that comes with no event, each 20 ms. While one process
// lives nothing changes, so one is waited for at a time, by its pidfd.
func (p *Processes) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		living, err := p.living()
		if err == nil && len(living) == 0 {
			changed()
			pause(ctx)
			continue
		}
		if err != nil || !outlast(ctx, living[0]) {
			pause(ctx)
		}
	}
}

func pause(ctx context.Context) {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// living returns the processes that count, the oldest first.
func (p *Processes) living() ([]procfs.Process, error) {
	all, err := procfs.Read()
	p.report(err)
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

// system reports whether a process is the pod's pause process, or a thread of the kernel's, which a pod with hostPID sees.
func system(all procfs.Table, one procfs.Process) bool {
	kernel := all[2].Comm == "kthreadd" && (one.PID == 2 || one.Parent == 2)
	return kernel || one.Comm == "pause" && one.Parent == 0
}

// outlast waits for a process's end; false where it cannot.
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

// report logs a trouble when it changes.
func (p *Processes) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprint(err)
	if err != nil && text != p.trouble {
		p.cfg.Log.Warn("the workload's processes cannot be seen", "error", err)
	}
	p.trouble = text
}
