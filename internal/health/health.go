package health

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Config says how to tell whether the workload is fit to lead. One of URL, TCP and File is given.
type Config struct {
	// URL answers a GET with a status from 200 to 399 while the workload is well. Redirects are not followed, proxies
	// of the environment not used, and certificates not checked: all as the kubelet does it.
	URL string
	// TCP is an address that takes connections while the workload is well: "HOST:PORT", ":PORT" or "unix:PATH".
	TCP string
	// File is there while the workload is well.
	File string
	// FileMaxAge is how long ago the file's last change may be; 0: any time.
	FileMaxAge time.Duration

	// Interval is the time from the begin of one check to that of the next.
	Interval time.Duration
	// Timeout bounds one check. It must not be longer than Interval.
	Timeout time.Duration
	// Threshold is how many checks in a row must fail before a fit workload is unfit, at least 1.
	Threshold int
	// SuccessThreshold is how many checks in a row must pass before an unfit one is fit, at least 1.
	SuccessThreshold int
	// StartGrace is how long, from the start and from the begin of each term, failures do not count. It ends with the
	// first check that passes.
	StartGrace time.Duration
	// Cooldown is how long a replica stays unfit, at least, that became so while it led.
	Cooldown time.Duration
	// WhileLeading says that the workload runs only while this replica leads: a standby is not checked, and is fit.
	WhileLeading bool

	// Clock judges the spans.
	Clock bootclock.Clock
	// Log takes checks whose outcome is not the last one's.
	Log *slog.Logger
}

// On reports whether there is anything to check.
func (c Config) On() bool { return c.URL != "" || c.TCP != "" || c.File != "" }

// Candidate is who is told whether the workload is fit to lead.
type Candidate interface {
	// SetFit says whether it is, and why.
	SetFit(fit bool, why string)
	// Leadership returns what is known now.
	Leadership() leadership.Leadership
}

// Checker checks the workload again and again. An unknown health is no fitness: before the first check has passed, a
// replica does not campaign.
type Checker struct {
	cfg       Config
	probe     healthProbe
	candidate Candidate
	gate      gate
	fit       atomic.Bool
	seen      atomic.Bool // the endpoint has been there once
	trouble   string      // of the last check, "" for none
}

// New returns a check that has not looked yet. An error says what is wrong with URL or TCP.
func New(cfg Config) (*Checker, error) {
	probe, err := newProbe(cfg)
	if err != nil {
		return nil, err
	}
	return &Checker{cfg: cfg, probe: probe, gate: newGate(cfg, cfg.Clock.Now())}, nil
}

// Judge makes c the candidate that is told, and tells it what counts before the first check. Call it before the
// candidate runs, else it may campaign before it hears of the health.
func (h *Checker) Judge(c Candidate) {
	h.candidate = c
	h.say()
}

// Fit reports whether the workload is fit to lead, as the candidate was last told.
func (h *Checker) Fit() bool { return h.fit.Load() }

// Run checks at once, and then at each interval, until ctx ends.
func (h *Checker) Run(ctx context.Context) {
	again := time.NewTicker(h.cfg.Interval)
	defer again.Stop()
	for {
		h.check(ctx)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// check looks once, and tells the candidate where that changes its fitness.
func (h *Checker) check(ctx context.Context) {
	before := h.candidate.Leadership()
	changed := false
	if h.cfg.WhileLeading && !before.IsLeader {
		changed = h.gate.rest(h.cfg.Clock.Now())
	} else {
		err := h.look(ctx)
		if ctx.Err() != nil {
			return // cut short, so it says nothing
		}
		h.note(err)
		changed = h.gate.take(h.cfg.Clock.Now(), before, err)
	}
	if changed {
		h.say()
	}
}

// look performs one check of the workload, which is well where it returns nil.
func (h *Checker) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	seen, err := h.probe.look(ctx)
	if seen == there {
		h.seen.Store(true)
	}
	return err
}

// note logs a check when its outcome has changed.
func (h *Checker) note(err error) {
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble == h.trouble {
		return
	}
	h.trouble = trouble
	if err != nil {
		h.cfg.Log.Warn("the workload's health check failed", "error", err)
		return
	}
	h.cfg.Log.Info("the workload's health check passed")
}

func (h *Checker) say() {
	h.fit.Store(h.gate.fit)
	h.candidate.SetFit(h.gate.fit, h.gate.why)
}
