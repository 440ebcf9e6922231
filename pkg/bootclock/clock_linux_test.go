package bootclock

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The clock counts from boot, as /proc/uptime does, so that all processes of one boot share it.
func TestNowCountsFromBoot(t *testing.T) {
	before := System{}.Now()
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	after := System{}.Now()
	seconds, err := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	const hundredth = 10 * time.Millisecond // uptime is given in hundredths, rounded down
	uptime := Instant(seconds * 1e9)
	if uptime < before.Add(-2*hundredth) || uptime > after.Add(2*hundredth) {
		t.Errorf("uptime is %s; want it between %s and %s", uptime, before, after)
	}
}

func TestNowNeverGoesBack(t *testing.T) {
	last := System{}.Now()
	for range 10_000 {
		now := System{}.Now()
		if now.Before(last) {
			t.Fatalf("%s came after %s", now, last)
		}
		last = now
	}
}

func TestID(t *testing.T) {
	first, err := ID()
	if err != nil {
		t.Fatal(err)
	}
	second, err := ID()
	if err != nil || first != second {
		t.Errorf("one boot has two names: %q and %q, %v", first, second, err)
	}
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(first) {
		t.Errorf("got %q; want a UUID", first)
	}
}
