package main

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// ownStartGrace is the default grace of a workload that only starts once this replica leads.
const ownStartGrace = 30 * time.Second

// healthOptions are the options that say whether the workload is healthy.
var healthOptions = []string{
	"health-url", "health-tcp", "health-file", "health-file-max-age", "health-interval", "health-timeout",
	"health-threshold", "health-success-threshold", "health-start-grace", "health-cooldown", "health-while",
	"health-proves-stop", "when-all-unfit",
}

// healthSettings is what was said about the workload's health.
type healthSettings struct {
	check      health.Config // its Log waits for the log
	provesStop bool
}

// health reads the health options. startsLate says that the workload runs only while this replica leads.
func (a answers) health(startsLate bool) healthSettings {
	interval, readable := a.readDuration("health-interval")
	s := healthSettings{provesStop: a.toggle("health-proves-stop"), check: health.Config{
		URL: a.text("health-url"), TCP: a.text("health-tcp"), File: a.text("health-file"),
		FileMaxAge: a.duration("health-file-max-age"), Interval: interval,
		Timeout: a.duration("health-timeout"), Threshold: a.number("health-threshold", 1, health.MaxThreshold),
		SuccessThreshold: a.number("health-success-threshold", 1, health.MaxThreshold),
		StartGrace:       a.duration("health-start-grace"), Cooldown: a.duration("health-cooldown"),
		WhileLeading: a.healthWhile(startsLate), Clock: bootclock.System{},
	}}
	c := &s.check
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, time.Second)
	}
	if c.WhileLeading && a.text("health-start-grace") == "" {
		c.StartGrace = ownStartGrace
	}
	judged := *c
	if !readable { // that is noted already
		judged.Interval, judged.Timeout = time.Hour, 0
	}
	a.fields(healthFlags, judged.Validate())
	return s
}

// healthFlags are the flags of the fields of a [health.Config].
var healthFlags = map[string]string{
	"URL": "health-url", "TCP": "health-tcp", "File": "health-file", "FileMaxAge": "health-file-max-age",
	"Interval": "health-interval", "Timeout": "health-timeout", "Threshold": "health-threshold",
	"SuccessThreshold": "health-success-threshold",
}

// healthWhile reads when the workload is checked.
func (a answers) healthWhile(startsLate bool) bool {
	if a.text("health-while") == "" {
		return startsLate
	}
	return a.choice("health-while", "always", "leading") == "leading"
}

// startsLate reports whether the workload runs only while this replica leads, as far as the options tell.
// A parked process runs as little as one that was not started.
func (a answers) startsLate() bool {
	lost, _ := process.ParseSignal(a.text("on-lost")) // its fault is noted where the signal is read
	for _, name := range []string{"STOP", "TSTP"} {
		if parked, _ := process.ParseSignal(name); lost == parked {
			return true
		}
	}
	return a.command() != nil
}

// open returns the health check, which reports to the candidate.
func (s healthSettings) open(log *slog.Logger, candidate health.Candidate) (*health.Checker, error) {
	check := s.check
	check.Log = log
	return health.New(check, candidate)
}

// healthy reports whether the workload is healthy; without a health check it always is.
func (c *sidecar) healthy() bool { return c.health == nil || c.health.Healthy() }

// number reads a whole number from least to most.
func (a answers) number(name string, least, most int) int {
	text := a.text(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		a.addf("--%s %q: want a whole number from %d to %d", name, text, least, most)
		return least
	}
	return n
}

// priority reads how early this candidate is in line.
func (a answers) priority() int { return a.number("priority", 0, elector.MaxPriority) }

// leadUnfit reads what an unhealthy candidate does where no healthy one leads.
func (a answers) leadUnfit() bool { return a.choice("when-all-unfit", "wait", "lead") == "lead" }
