package health

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

const (
	// minInterval is the shortest interval: more frequent checks would load the workload.
	minInterval = 10 * time.Millisecond
	// MaxThreshold bounds both thresholds.
	MaxThreshold = 1000
)

// Config says how to check the workload's health. At most one of URL, TCP and File is set.
type Config struct {
	// URL answers a GET with a status from 200 to 399 while the workload is healthy. As with the kubelet, redirects are not
	// followed, the environment's proxies are not used, and certificates are not checked.
	URL string
	// TCP is an address that accepts connections while the workload is healthy: "HOST:PORT", ":PORT" or "unix:PATH".
	TCP string
	// File exists while the workload is healthy.
	File string
	// FileMaxAge is the maximum age of the file's last change; 0: any.
	FileMaxAge time.Duration

	// Interval is the time between the begins of two checks.
	Interval time.Duration
	// Timeout bounds one check. It must not exceed Interval.
	Timeout time.Duration
	// Threshold is how many checks in a row must fail before a healthy workload becomes unhealthy, at least 1.
	Threshold int
	// SuccessThreshold is how many checks in a row must pass before an unhealthy workload becomes healthy, at least 1.
	SuccessThreshold int
	// StartGrace is how long failures do not count, from the start and from the begin of each term. A passed check ends it.
	StartGrace time.Duration
	// Cooldown is the minimum time that a replica stays unhealthy if it became so while it led.
	Cooldown time.Duration
	// WhileLeading says that the workload runs only while this replica leads: a standby is not checked, and is healthy.
	WhileLeading bool

	// Clock judges the spans.
	Clock bootclock.Clock
	// Log records checks whose result differs from the last.
	Log *slog.Logger
}

// On reports whether there is anything to check.
func (c Config) On() bool { return c.URL != "" || c.TCP != "" || c.File != "" }

// given returns how many endpoints are set, and the first of them.
func (c Config) given() (n int, name, value string) {
	for _, of := range []struct{ name, value string }{{"File", c.File}, {"TCP", c.TCP}, {"URL", c.URL}} {
		if of.value != "" {
			n, name, value = n+1, of.name, of.value
		}
	}
	return n, name, value
}

// Validate returns every fault at once, each a [*field.Error]; see [field.Faults]. A Config without checks can be valid too.
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
