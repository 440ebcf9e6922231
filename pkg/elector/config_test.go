package elector

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

func TestDefaultTimings(t *testing.T) {
	tests := []struct{ duration, deadline, interval, margin, attempt time.Duration }{
		{15 * time.Second, 10 * time.Second, 3 * time.Second, 3 * time.Second, 2500 * time.Millisecond},
		{3 * time.Second, 2 * time.Second, time.Second, 600 * time.Millisecond, 500 * time.Millisecond},
		{60 * time.Second, 40 * time.Second, 12 * time.Second, 3 * time.Second, 2500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.duration.String(), func(t *testing.T) {
			c := Config{Lease: "l", Identity: "i", Duration: tt.duration}.WithDefaults()
			got := []time.Duration{c.RenewDeadline, c.RenewInterval, c.KillMargin(), c.attempt()}
			want := []time.Duration{tt.deadline, tt.interval, tt.margin, tt.attempt}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("deadline, interval, margin, attempt (-want +got):\n%s", diff)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("defaults are refused: %v", err)
			}
		})
	}
}

// Zero is a choice for these two: no grace, and last in line.
func TestGraceAndPriorityStayZero(t *testing.T) {
	type both struct {
		Grace    time.Duration
		Priority int
	}
	for _, tt := range []struct {
		name string
		made Config
		want both
	}{
		{"WithDefaults", Config{}.WithDefaults(), both{}},
		{"Default", Default(), both{18 * time.Second, MaxPriority}},
	} {
		if diff := cmp.Diff(tt.want, both{tt.made.ForeignGrace, tt.made.Priority}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // a piece of each fault, in order
	}{
		{"good", func(*Config) {}, nil},
		{"fractions", func(c *Config) { c.Duration = 15500 * time.Millisecond }, []string{"Duration 15.5s"}},
		{"short", func(c *Config) {
			c.Duration, c.RenewDeadline, c.RenewInterval = 2*time.Second, 0, 0
			*c = c.WithDefaults()
		}, []string{"Duration 2s", "RenewInterval 1s"}},
		{"deadline past the duration", func(c *Config) { c.RenewDeadline = 15 * time.Second }, []string{"RenewDeadline 15s: want more than 0s and at most 11.25s at a lease duration of 15s"}},
		{"deadline without margin", func(c *Config) { c.RenewDeadline = 13 * time.Second }, []string{"RenewDeadline 13s: want more than 0s and at most 11.25s at a lease duration of 15s"}},
		{"slow renewals", func(c *Config) { c.RenewInterval = 6 * time.Second }, []string{"RenewInterval 6s"}},
		{"quick renewals", func(c *Config) { c.RenewInterval = 999 * time.Millisecond }, []string{"RenewInterval 999ms"}},
		{"negative grace", func(c *Config) { c.ForeignGrace = -1 }, []string{"ForeignGrace -1ns"}},
		{"priority", func(c *Config) { c.Priority = 11 }, []string{"Priority 11"}},
		{
			"everything", func(c *Config) { *c = Config{Duration: 1500 * time.Millisecond, ForeignGrace: -1} },
			[]string{"Lease is not set", "Identity is not set", "Duration 1.5s", "RenewDeadline 0s", "RenewInterval 0s", "ForeignGrace -1ns"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.Lease, c.Identity = "acme-1", "web-0_x"
			tt.change(&c)
			got := field.Flatten(c.Validate())
			if len(got) != len(tt.want) {
				t.Fatalf("got %d faults, want %d: %v", len(got), len(tt.want), got)
			}
			for i, want := range tt.want {
				var f *field.Error
				if !errors.As(got[i], &f) || !strings.Contains(got[i].Error(), want) || strings.Contains(f.Want, "--") {
					t.Errorf("fault %d = %T %q, want a field error that says %q, and names no flag", i, got[i], got[i], want)
				}
			}
		})
	}
}

// TestTheBoundOfTheDeadlineIsThePrintedOne: the bound passes, a nanosecond more is refused, and the fault names the bound. It is the
// longest deadline that the rule allows: with the kill margin within 90 % of the lease duration.
func TestTheBoundOfTheDeadlineIsThePrintedOne(t *testing.T) {
	for seconds := 3; seconds <= 120; seconds++ {
		c := Default()
		c.Lease, c.Identity, c.Duration = "acme-1", "web-0_x", time.Duration(seconds)*time.Second
		c.RenewInterval = minRenewInterval
		c.RenewDeadline = c.Duration
		_, text, _ := strings.Cut(c.Validate().Error(), "at most ")
		text, _, _ = strings.Cut(text, " ")
		bound, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("at %d s: %v: no bound in %q", seconds, err, c.Validate())
		}
		c.RenewDeadline = bound
		if err := c.Validate(); err != nil || c.RenewDeadline+c.KillMargin() > c.Duration*9/10 {
			t.Errorf("the bound %s itself: %v; kill margin %s", bound, err, c.KillMargin())
		}
		c.RenewDeadline = bound + time.Microsecond
		if err := c.Validate(); err == nil || c.RenewDeadline+c.KillMargin() <= c.Duration*9/10 {
			t.Errorf("more than the bound %s: %v; kill margin %s", bound, err, c.KillMargin())
		}
	}
}

// TestAcceptedTimingsLeaveTheMargin: whatever Validate accepts, an app is dead before the Lease can be taken, with
// clocks 1 % apart.
func TestAcceptedTimingsLeaveTheMargin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Lease: "l", Identity: "i", Duration: time.Duration(rapid.IntRange(1, 120).Draw(t, "D")) * time.Second}
		c.RenewDeadline = time.Duration(rapid.IntRange(1, 120_000).Draw(t, "V")) * time.Millisecond
		c.RenewInterval = time.Duration(rapid.IntRange(1, 60_000).Draw(t, "R")) * time.Millisecond
		if c.Validate() != nil {
			return
		}
		worst := float64(c.RenewDeadline+c.KillMargin()) * 1.01
		if worst > float64(c.Duration)*0.99 {
			t.Fatalf("accepted V=%v K=%v for D=%v", c.RenewDeadline, c.KillMargin(), c.Duration)
		}
	})
}

func TestSpread(t *testing.T) {
	tests := []struct {
		u    float64
		want time.Duration
	}{
		{0, 0}, {1.0 / 500, 0}, {1.0 / 1000, 0}, {0.5, 35539 * time.Microsecond}, {0.999999, 40 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := spread(tt.u).Round(time.Microsecond); got != tt.want {
			t.Errorf("spread(%v) = %v, want %v", tt.u, got, tt.want)
		}
	}
}
