package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// gainAfterLoss is how long a process has to handle a signal that it has taken before the next one may follow.
	gainAfterLoss = 50 * time.Millisecond
	// busyMax is how much longer a gain waits for a process that is busy, and so may not have come to its handler.
	busyMax = 2 * time.Second
	// lossesMax bounds how often a busy process is told an owed loss. The pauses double: this is some 3 s.
	lossesMax = 6
	// takenPause is the pause between looks at a process that is held back. A look reads two small files.
	takenPause = 20 * time.Millisecond
)

// errUntaken says that the order of two signals is not certain yet.
var errUntaken = errors.New("it has not taken the signal before: it is stopped, frozen or starved, and two that wait together are handled in either order: telling it once it runs")

// ordered reports whether it matters which of the two signals the process handles last. It does not where a loss ends
// it, and a loss that parks it needs no handler.
func (c Config) ordered() bool {
	return c.OnElected != 0 && c.OnLost != 0 && !c.Fence && !c.OnLost.Ends() && !c.OnLost.Parks()
}

// await returns nil once the process has taken all of these signals, and else an errUntaken. Signals that wait
// together are handled in no promised order: a program in C starts with the highest number, CPython and Go with the
// lowest.
func (p *Process) await(signos ...Signo) error {
	h := p.held
	m, err := readMasks(strconv.Itoa(h.pid))
	if err != nil {
		return fmt.Errorf("see which signals %s has taken: %w", h.entry, err)
	}
	for _, s := range signos {
		if s.in(m.pending) {
			h.untaken = true
			return p.holdBack()
		}
	}
	if h.untaken {
		h.untaken, h.handled = false, max(h.handled, p.cfg.Clock.Now().Add(gainAfterLoss))
	}
	return nil
}

// holdBack leaves the telling for later. Run looks often from then on.
func (p *Process) holdBack() error {
	p.held.heldBack = true
	return fmt.Errorf("tell %s: %w", p.held.entry, errUntaken)
}

// handling reports whether the process may still be on its way to its handlers.
func (p *Process) handling() bool {
	now, h := p.cfg.Clock.Now(), p.held
	switch {
	case now.Before(h.handled):
		return true
	case !now.Before(h.handled.Add(busyMax)):
		return false
	}
	return p.busy()
}

// busy reports whether the process runs, waits for a processor or a page, or is stopped.
func (p *Process) busy() bool {
	seen, alive := p.held.alive()
	return alive && seen.state != 'S'
}

// awaitLoss holds a gain back until the process has taken a loss and had its time for it. A gain can wait; a loss
// never does.
func (p *Process) awaitLoss(ctx context.Context) error {
	h := p.held
	if !p.cfg.ordered() {
		return nil
	}
	if err := p.await(p.cfg.OnLost); err != nil {
		return err
	}
	if err := bootclock.Wait(ctx, p.cfg.Clock, h.handled); err != nil {
		return fmt.Errorf("wait for %s to handle the signal before: %w", h.entry, err)
	}
	if p.handling() {
		return p.holdBack()
	}
	return nil
}

// sendLoss sends OnLost, at once in any case. A gain that lies in wait then may be handled last, and the process would
// take itself for the leader: so it is owed the loss once more.
func (p *Process) sendLoss() error {
	h := p.held
	if p.cfg.OnLost != 0 {
		if err := admit(h.entry, p.cfg.OnLost, p.cfg.Fence); err != nil {
			return p.unlessOver(h, err)
		}
	}
	overtaken := p.cfg.ordered() && p.await(p.cfg.OnElected) != nil
	if err := p.send(p.cfg.OnLost, lost); err != nil {
		return err
	}
	h.owed, h.losses = overtaken, 0
	return nil
}

// payLoss sends the loss that a process is owed, once it has taken both signals and had its time for them. One that is
// busy then may not have come to its handlers, so it gets another.
func (p *Process) payLoss() error {
	h := p.held
	if h == nil || !h.owed { // nil: it has ended meanwhile
		return nil
	}
	if err := p.await(p.cfg.OnElected, p.cfg.OnLost); err != nil {
		return p.unlessOver(h, err)
	}
	if p.cfg.Clock.Now().Before(h.handled) {
		return p.holdBack()
	}
	busy := p.busy()
	if err := p.send(p.cfg.OnLost, lost); err != nil || !busy || h.losses == lossesMax {
		return err
	}
	h.owed, h.handled = true, p.cfg.Clock.Now().Add(gainAfterLoss<<h.losses)
	h.losses++
	return p.holdBack()
}

// waits reports whether the process was not told because of a signal that it had not taken.
func (p *Process) waits() bool { return p.held != nil && p.held.heldBack }

// ripe reports whether a process that waits can be told now.
func (p *Process) ripe() bool {
	switch {
	case !p.waits() || p.await(p.cfg.OnElected, p.cfg.OnLost) != nil:
		return false
	case p.held.owed:
		return !p.cfg.Clock.Now().Before(p.held.handled)
	}
	return !p.handling()
}
