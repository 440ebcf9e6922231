package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// process is a running program.
type process struct {
	options
	conduct
	journal *journal.Writer
	health  net.Listener
	signals chan os.Signal
	workers []*exec.Cmd
	shown   io.Closer // while it works
}

// pollTick is the pause between two questions of a program that asks whether it leads.
const pollTick = 2 * time.Millisecond

// elected waits until the program is to work; false: it is to end.
func (p *process) elected() bool {
	var poll <-chan time.Time
	if p.follow != "" {
		ticker := time.NewTicker(pollTick)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		select {
		case s := <-p.signals:
			switch {
			case s == syscall.SIGTERM:
				return false
			case s == syscall.SIGUSR1 && p.follow == "":
				return true
			}
		case <-poll:
			if p.begins() {
				return true
			}
		}
	}
}

// begins reports whether a program that asks leads, and shows that it works; it looks again once it shows it.
func (p *process) begins() bool {
	if !p.leads() {
		return false
	}
	shown, err := p.show()
	if err == nil && p.leads() {
		p.shown = shown
		return true
	}
	if shown != nil {
		_ = shown.Close()
	}
	return false
}

// stopTime is how long the work goes on after the signal to stop.
func (p *process) stopTime() time.Duration {
	if text, err := os.ReadFile(p.stopFile); err == nil {
		d, err := time.ParseDuration(string(text))
		if err == nil {
			return d
		}
	}
	return p.Stop
}

// term works until it has to stop. Over: the program is to end, not to rest.
func (p *process) term() (over bool, err error) {
	began, err := p.journal.Mark()
	if err != nil {
		return true, err
	}
	for range p.Workers {
		if err := p.hire(); err != nil {
			return true, err
		}
	}
	var stop bootclock.Instant // when the work ends; zero: nothing has ended it
	for tick := time.NewTicker(journal.Tick); ; {
		now, err := p.journal.Mark()
		switch {
		case err != nil:
			return true, err
		case !stop.IsZero() && !now.Before(stop):
			tick.Stop()
			return p.end(over)
		case p.Crash > 0 && now.Sub(began) >= p.Crash:
			os.Exit(3)
		case p.Finish > 0 && now.Sub(began) >= p.Finish:
			tick.Stop()
			return p.end(true)
		}
		select {
		case <-tick.C:
			if stop.IsZero() && p.follow != "" && !p.leads() {
				stop = bootclock.System{}.Now().Add(p.stopTime())
			}
		case s := <-p.signals:
			if s != syscall.SIGTERM && s != syscall.SIGUSR2 || p.Ignore {
				continue
			}
			over = over || s == syscall.SIGTERM
			if stop.IsZero() {
				stop = bootclock.System{}.Now().Add(p.stopTime())
			}
			if p.Unlisten && p.health != nil && over {
				_ = p.health.Close()
			}
		}
	}
}

// end ends the work after its last mark, and reports whether the program ends, too.
func (p *process) end(over bool) (bool, error) {
	if over && p.Leave {
		os.Exit(0)
	}
	for _, w := range p.workers {
		_ = w.Process.Kill()
		_ = w.Wait()
	}
	p.workers = nil
	if err := p.journal.Rest(); err != nil {
		return true, err
	}
	if p.shown != nil {
		_ = p.shown.Close()
		p.shown = nil
	}
	if p.sidecar != "" && (p.reports == "always" || p.reports == "rest" && !over) {
		p.drained()
	}
	return over, nil
}
