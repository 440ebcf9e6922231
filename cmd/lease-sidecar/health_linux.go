package main

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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

// health reads the health options. startsLate says that the workload runs only while this replica leads.
func (a answers) health(startsLate bool) health.Config {
	interval, ok := a.readDuration("health-interval")
	if ok && interval < shortestCheck {
		a.addf("--health-interval %q: want %s or more; 1s is usual", a.text("health-interval"), shortestCheck)
	}
	c := health.Config{
		URL: a.text("health-url"), TCP: a.text("health-tcp"), File: a.text("health-file"),
		FileMaxAge: a.duration("health-file-max-age"), Interval: interval,
		Timeout: a.duration("health-timeout"), Threshold: a.number("health-threshold", 1, mostChecks),
		SuccessThreshold: a.number("health-success-threshold", 1, mostChecks),
		StartGrace:       a.duration("health-start-grace"), Cooldown: a.duration("health-cooldown"),
		WhileLeading: a.healthWhile(startsLate),
	}
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, time.Second)
	}
	if c.WhileLeading && a.text("health-start-grace") == "" {
		c.StartGrace = ownStartGrace
	}
	a.healthFaults(c)
	return c
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
		c.Clock = bootclock.System{}
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
