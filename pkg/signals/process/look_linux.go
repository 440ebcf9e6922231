package process

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// How often /proc is read. It costs in proportion to the processes there, so the pause grows with the time it took,
// once the process has been found: its end comes as an event.
const (
	// lookSoon is the pause after an end, or while a process cannot be told: it may just be starting. It is the pause, too,
	// after a process was told that it leads: it starts its workers then, and those that were never seen while it lived
	// cannot be told for its own once it has crashed.
	lookSoon  = 100 * time.Millisecond
	soonFor   = 3 * time.Second
	lookPause = time.Second
	lookMax   = 10 * time.Second
	idleShare = 2000 // the pause is as many times what a look took: 0.05 % of a core
)

// look finds the process and takes hold of it.
func (p *Process) look() error {
	if p.held != nil && p.held.ended() {
		p.bury()
	}
	all, err := readTable()
	if err != nil {
		return err
	}
	found, namesakes, err := p.cfg.Target.find(all)
	switch {
	case err == nil && (p.held == nil || !p.held.same(found)):
		err = p.take(found)
	case errors.Is(err, errNone) && p.held != nil && p.held.ended():
		p.bury() // just now
	case errors.Is(err, errNone) && p.held != nil && !p.held.told.leading:
		p.release() // it has become another program
	}
	p.remember(all, namesakes)
	return err
}

func (e entry) same(other entry) bool { return e.pid == other.pid && e.start == other.start }

// take holds a process in place of the one before, which the pid file does not name any more.
func (p *Process) take(found entry) error {
	h, err := hold(found)
	if errors.Is(err, errOver) {
		return errNone
	}
	if err != nil {
		return err
	}
	if p.cfg.OnElected != 0 || p.cfg.OnLost != 0 {
		if err := h.send(0); err != nil { // nothing but the question whether we may
			h.close()
			return err
		}
	}
	p.release()
	p.held, p.seen = h, true
	p.cfg.Log.Info("found the process to tell", "pid", h.pid, "command", h.comm)
	return nil
}

func (p *Process) release() {
	if p.held != nil {
		p.held.close()
	}
	p.held = nil
}

// remember keeps kin up to date: whoever was in it stays while it lives, as a child whose parent has ended shows no
// kinship any more. The process comes first.
func (p *Process) remember(all table, namesakes []entry) {
	var kin []entry
	known := map[int]bool{}
	add := func(entries ...entry) {
		for _, e := range entries {
			if now, ok := all[e.pid]; ok && now.same(e) && !known[e.pid] {
				known[e.pid] = true
				kin = append(kin, e)
			}
		}
	}
	if p.held != nil {
		add(all.family(p.held.entry)...)
	}
	if p.seen {
		add(namesakes...)
	}
	if p.leads {
		add(p.kin...)
	} else {
		add(p.work...)
		p.work = all.families(p.work)
	}
	p.kin = all.families(kin)
}

// bury takes note of the process's end. While leading that is a crash, and leadership goes where a process runs.
func (p *Process) bury() {
	h := p.held
	if h == nil || h.over {
		return
	}
	h.over = true
	p.release()
	p.handRest()
	leading := p.level.At(p.cfg.Clock.Now()).IsLeader
	p.cfg.Log.Info("the process has ended", "pid", h.pid, "command", h.comm, "leading", leading)
	if leading && p.cfg.Crashed != nil && h.dismissed.IsZero() { // one that was told to end has done so
		p.cfg.Crashed()
	}
}

// Run looks for the process, tells one that has come the level that holds, sees it end, and keeps the kill deadline,
// until ctx ends. It returns nil.
func (p *Process) Run(ctx context.Context) error {
	w := watch{Process: p}
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		exited, next := w.step(ctx)
		timer.Reset(next)
		select {
		case <-exited:
			w.restless = p.cfg.Clock.Now().Add(soonFor)
			w.next = 0
		case <-p.wake:
		case <-timer.C():
		case <-ctx.Done():
			return nil
		}
	}
}

// watch is what Run remembers from one step to the next.
type watch struct {
	*Process
	next     bootclock.Instant // of the next look
	restless bootclock.Instant // look often until then
	trouble  string            // of the last look
	said     string            // what of it is in the log
}

// step does what is due, and returns what to wait for, and until when at most; zero: for ever.
func (w *watch) step(ctx context.Context) (exited <-chan struct{}, next bootclock.Instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Clock.Now()
	if w.ripe() || w.awaits && !w.departs() {
		w.next = now
	}
	if w.hiring(now) {
		w.next = min(w.next, now.Add(lookSoon))
	}
	if w.known && !now.Before(w.next) {
		cost := startMeter()
		w.report(w.turn(ctx))
		after := w.cfg.Clock.Now()
		w.next = after.Add(w.patience(after, cost.read()))
	}
	if w.held != nil {
		exited = w.held.exited
	}
	if !w.known {
		return exited, 0
	}
	next = w.next
	if left := w.strike(); left > 0 {
		next = min(next, w.cfg.Clock.Now().Add(left))
	}
	if w.waits() {
		next = min(next, w.cfg.Clock.Now().Add(takenPause))
	}
	if w.awaits {
		next = min(next, w.departed())
	}
	return exited, max(next, 1)
}

// patience returns the pause until the next look, where the last took that much of a processor.
func (w *watch) patience(now bootclock.Instant, took time.Duration) time.Duration {
	if w.trouble != "" && !w.waits() || now.Before(w.restless) || w.hiring(now) {
		return lookSoon
	}
	if w.held == nil { // somebody waits to be told
		return lookPause
	}
	return min(max(took*idleShare, lookPause), lookMax)
}

// hiring reports whether the process was told a short time ago that it leads, and may be starting its workers.
func (p *Process) hiring(now bootclock.Instant) bool {
	return !p.gained.IsZero() && now.Before(p.gained.Add(soonFor))
}

// report logs a trouble when it comes a second time, as a process that is starting does not catch its signals yet, and
// its end.
func (w *watch) report(err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	switch {
	case now == "" && w.said != "":
		w.cfg.Log.Info("the process can be told again")
		w.said = ""
	case now != "" && now == w.trouble && now != w.said:
		w.cfg.Log.Warn("the process cannot be told", "target", w.cfg.Target.String(), "error", err)
		w.said = now
	}
	w.trouble = now
}
