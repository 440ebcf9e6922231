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

const (
	// shortestCheck is the least time from one health check to the next: below it they load the workload.
	shortestCheck = 10 * time.Millisecond
	// mostChecks bounds the thresholds.
	mostChecks = 1000
	// ownStartGrace is the default grace of a workload that only starts once this replica leads.
	ownStartGrace = 30 * time.Second
)

// healthOptions are the options that say whether the workload is fit to lead.
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
	interval, ok := a.readDuration("health-interval")
	if ok && interval < shortestCheck {
		a.addf("--health-interval %q: want %s or more; 1s is usual", a.text("health-interval"), shortestCheck)
	}
	s := healthSettings{provesStop: a.toggle("health-proves-stop"), check: health.Config{
		URL: a.text("health-url"), TCP: a.text("health-tcp"), File: a.text("health-file"),
		FileMaxAge: a.duration("health-file-max-age"), Interval: interval,
		Timeout: a.duration("health-timeout"), Threshold: a.number("health-threshold", 1, mostChecks),
		SuccessThreshold: a.number("health-success-threshold", 1, mostChecks),
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
	a.healthFaults(*c)
	return s
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

// open returns the health check.
func (s healthSettings) open(log *slog.Logger) (*health.Checker, error) {
	check := s.check
	check.Log = log
	return health.New(check)
}

// fit reports whether the workload is fit to lead; without a health check it always is.
func (c *sidecar) fit() bool { return c.health == nil || c.health.Fit() }

func (a answers) healthFaults(c health.Config) {
	given := 0
	for _, name := range []string{"health-url", "health-tcp", "health-file"} {
		if a.text(name) != "" {
			given++
		}
	}
	if given > 1 {
		a.addf("--health-url, --health-tcp and --health-file: want one of them, not %d", given)
	}
	if c.Interval >= shortestCheck && c.Timeout > c.Interval {
		a.addf("--health-timeout %s: want no more than --health-interval %s, so that one check ends before the next", c.Timeout, c.Interval)
	}
	if c.FileMaxAge > 0 && c.File == "" {
		a.addf("--health-file-max-age %s: there is no file: set --health-file", c.FileMaxAge)
	}
	if given == 1 {
		_, err := health.New(c)
		a.of(map[bool]string{true: "health-url", false: "health-tcp"}[c.URL != ""], err)
	}
}

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

// leadUnfit reads what an unfit candidate does where no fit one leads.
func (a answers) leadUnfit() bool { return a.choice("when-all-unfit", "wait", "lead") == "lead" }
