package main

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// ownStartGrace is the default grace of a workload that only starts once this replica leads.
const ownStartGrace = 30 * time.Second

// health reads the health options. startsLate says that the workload runs only while this replica leads.
func (a answers) health(startsLate bool) health.Config {
	interval, readable := a.readDuration("health-interval")
	c := health.Config{
		URL: a.text("health-url"), TCP: a.text("health-tcp"), File: a.text("health-file"),
		FileMaxAge: a.duration("health-file-max-age"), Interval: interval,
		Timeout: a.duration("health-timeout"), Threshold: a.number("health-threshold", 1, health.MaxThreshold),
		SuccessThreshold: a.number("health-success-threshold", 1, health.MaxThreshold),
		StartGrace:       a.duration("health-start-grace"), Cooldown: a.duration("health-cooldown"),
		WhileLeading: a.healthWhile(startsLate),
	}
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, time.Second)
	}
	if c.WhileLeading && a.text("health-start-grace") == "" {
		c.StartGrace = ownStartGrace
	}
	judged := c
	if !readable { // that is noted already
		judged.Interval, judged.Timeout = time.Hour, 0
	}
	a.fields(healthFlags, judged.Validate())
	return c
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
