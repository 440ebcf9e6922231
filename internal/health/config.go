package health

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

const (
	// minInterval is the shortest interval: below it the checks load the workload.
	minInterval = 10 * time.Millisecond
	// MaxThreshold bounds both thresholds.
	MaxThreshold = 1000
)

// Config says how to find out whether the workload is healthy. One of URL, TCP and File is given.
type Config struct {
	// URL answers a GET with a status from 200 to 399 while the workload is healthy. Redirects are not followed, proxies
	// of the environment not used, and certificates not checked: all as the kubelet does it.
	URL string
	// TCP is an address that takes connections while the workload is healthy: "HOST:PORT", ":PORT" or "unix:PATH".
	TCP string
	// File exists while the workload is healthy.
	File string
	// FileMaxAge is how long ago the file's last change may be; 0: any time.
	FileMaxAge time.Duration

	// Interval is the time from the begin of one check to that of the next.
	Interval time.Duration
	// Timeout bounds one check. It must not be longer than Interval.
	Timeout time.Duration
	// Threshold is how many checks in a row must fail before a healthy workload is unhealthy, at least 1.
	Threshold int
	// SuccessThreshold is how many checks in a row must pass before an unhealthy one is healthy, at least 1.
	SuccessThreshold int
	// StartGrace is how long, from the start and from the begin of each term, failures do not count. It ends with the
	// first check that passes.
	StartGrace time.Duration
	// Cooldown is how long a replica stays unhealthy, at least, that became so while it led.
	Cooldown time.Duration
	// WhileLeading says that the workload runs only while this replica leads: a standby is not checked, and is healthy.
	WhileLeading bool

	// Clock judges the spans.
	Clock bootclock.Clock
	// Log takes checks whose outcome is not the last one's.
	Log *slog.Logger
}

// On reports whether there is anything to check.
func (c Config) On() bool { return c.URL != "" || c.TCP != "" || c.File != "" }

// given returns how many endpoints are named, and the first of them.
func (c Config) given() (n int, name, value string) {
	for _, of := range []struct{ name, value string }{{"File", c.File}, {"TCP", c.TCP}, {"URL", c.URL}} {
		if of.value != "" {
			n, name, value = n+1, of.name, of.value
		}
	}
	return n, name, value
}

// Validate returns every fault at once, each a [*field.Error]: see [field.Faults]. A Config that checks nothing is valid
// where its spans are.
func (c Config) Validate() error {
	var faults field.Faults
	if n, name, value := c.given(); n > 1 {
		faults.Add(field.Quoted(name, value, "one of a URL, a TCP address and a file, not %d of them", n))
	}
	if c.URL != "" {
		_, err := newHTTPProbe(c.URL)
		faults.Add(err)
	}
	if c.TCP != "" {
		_, err := newTCPProbe(c.TCP)
		faults.Add(err)
	}
	if c.FileMaxAge > 0 && c.File == "" {
		faults.Wrong("FileMaxAge", c.FileMaxAge.String(), "a file as well, whose age that bounds")
	}
	switch {
	case c.Interval < minInterval:
		faults.Wrong("Interval", c.Interval.String(), "%s or more; 1s is usual", minInterval)
	case c.Timeout > c.Interval:
		faults.Wrong("Timeout", c.Timeout.String(), "no more than the interval %s, so that one check ends before the next", c.Interval)
	}
	for _, of := range []struct {
		name string
		n    int
	}{{"Threshold", c.Threshold}, {"SuccessThreshold", c.SuccessThreshold}} {
		if of.n < 1 || of.n > MaxThreshold {
			faults.Wrong(of.name, strconv.Itoa(of.n), "a whole number from 1 to %d", MaxThreshold)
		}
	}
	return faults.Err()
}
