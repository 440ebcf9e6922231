//go:build linux

package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// view reads what the machine decides by: the held process and, with a fence, the states of the workload's processes.
func (p *Process) view(came answer) view {
	p.mu.Lock()
	h, members, closely := p.handle, p.machine.scene().members, p.machine.closely()
	p.mu.Unlock()
	v := view{answer: came}
	if p.cfg.Fence {
		v.states = statesOf(members)
	}
	if h != nil {
		v.process = heldView{id: h.ID, err: errNotRead}
		if closely {
			p.viewClosely(h, &v.process)
		}
		v.process.ended = h.Ended() // last: it explains every other error
	}
	v.now = p.cfg.Clock.Now()
	return v
}

var errNotRead = errors.New("its signals were not read")

// viewClosely reads the process's current state and its signals.
func (p *Process) viewClosely(h *procfs.Handle, v *heldView) {
	if now, alive := h.Alive(); alive {
		v.state = now.State
	}
	v.signals, v.err = procfs.ReadSignals(h.PID)
	for _, n := range []syscall.Signal{syscall.Signal(p.cfg.OnElected), syscall.Signal(p.cfg.OnLost)} {
		if v.signals.Blocked.Has(n) && !v.signals.Caught.Has(n) && procfs.BlockedByAll(h.PID, n) {
			v.signals.Caught |= 1 << (n - 1)
		}
	}
}

// look reads the process table. If find is set, it also looks for the target, and opens it unless it is held already.
func (p *Process) look(find bool) (l look, opened *procfs.Handle) {
	p.mu.Lock()
	h := p.handle
	p.mu.Unlock()
	cost := startMeter()
	defer func() { l.took = cost.read() }()
	if l.table, l.err = p.read(); l.err != nil || !find {
		return l, nil
	}
	l.found, l.namesakes, l.findErr = p.cfg.Target.find(l.table)
	if l.findErr == nil && (h == nil || h.ID != l.found.ID) {
		opened, l.findErr = p.open(l.found)
	}
	return l, opened
}

// open opens a process, if it may be signalled.
func (p *Process) open(found procfs.Process) (*procfs.Handle, error) {
	h, err := procfs.Open(found)
	if errors.Is(err, procfs.ErrOver) {
		return nil, errNone
	}
	if err != nil {
		return nil, err
	}
	if p.cfg.OnElected == 0 && p.cfg.OnLost == 0 {
		return h, nil
	}
	if err := h.Send(0); err != nil { // signal 0 only checks the right to signal
		h.Close()
		return nil, fmt.Errorf("signal %s: %w", found, err)
	}
	return h, nil
}

// send sends a signal. It uses the handle for the held process.
func (p *Process) send(to procfs.Process, s Signo) error {
	p.mu.Lock()
	h := p.handle
	p.mu.Unlock()
	if h != nil && h.ID == to.ID {
		return h.Send(syscall.Signal(s))
	}
	return procfs.Send(to.ID, syscall.Signal(s))
}

// meter measures the cost of a look in processor time: a starved sidecar waits longer for a look, but the look costs no more.
type meter struct {
	began time.Time
	used  time.Duration
}

func startMeter() meter { return meter{began: time.Now(), used: processorTime()} }

// read returns the processor time since the start. Other goroutines' time counts, so it is capped at the elapsed time.
func (m meter) read() time.Duration { return min(time.Since(m.began), processorTime()-m.used) }

// processorTime returns the processor time that this program has used so far.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
