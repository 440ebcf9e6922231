package lease_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMark(t *testing.T) {
	for _, c := range []struct {
		text string
		want lease.Mark
		ok   bool
	}{
		{lease.HeldMark("web-5d9_0b1f", 15*time.Second), lease.Mark{Identity: "web-5d9_0b1f", Duration: 15 * time.Second}, true},
		{"a 3", lease.Mark{Identity: "a", Duration: 3 * time.Second}, true},
		{"a 2147483647", lease.Mark{Identity: "a", Duration: 2147483647 * time.Second}, true},
		{"", lease.Mark{}, false},
		{"a", lease.Mark{}, false},
		{"a ", lease.Mark{}, false},
		{" 15", lease.Mark{}, false},
		{"a 0", lease.Mark{}, false},
		{"a -15", lease.Mark{}, false},
		{"a 15s", lease.Mark{}, false},
		{"a 1.5", lease.Mark{}, false},
		{"a 15 ", lease.Mark{}, false},
		{"a b 15", lease.Mark{}, false},
		{"a 2147483648", lease.Mark{}, false},
		{"a 99999999999999999999", lease.Mark{}, false},
		{lease.ReleasedMark(renewed), lease.Mark{}, false},
		{strings.Repeat("x", 1000), lease.Mark{}, false},
	} {
		got, ok := lease.ParseMark(c.text)
		if ok != c.ok || got != c.want {
			t.Errorf("ParseMark(%.50q) = %+v, %v, want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestMarksAsText(t *testing.T) {
	if diff := cmp.Diff("web_1 15", lease.HeldMark("web_1", 15*time.Second)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	elsewhere := renewed.In(time.FixedZone("east", 3600))
	if diff := cmp.Diff("released@2026-11-22T10:00:00.123456Z", lease.ReleasedMark(elsewhere)); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

func TestForeignAndValidity(t *testing.T) {
	const ours, theirs = "web_1", "other_2"
	for _, c := range []struct {
		name     string
		r        lease.Record
		foreign  bool
		validity time.Duration
	}{
		{"empty", lease.Record{}, false, 0},
		{"ours", lease.Record{Holder: ours, DurationSeconds: 15, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration edited down", lease.Record{Holder: ours, DurationSeconds: 1, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration edited up", lease.Record{Holder: ours, DurationSeconds: 3600, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration removed", lease.Record{Holder: ours, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, blanked by hand", lease.Record{DurationSeconds: 1, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, mark removed", lease.Record{Holder: ours, DurationSeconds: 15}, true, 15 * time.Second},
		{"ours, mark garbled", lease.Record{Holder: ours, DurationSeconds: 15, Mark: ours}, true, 15 * time.Second},
		{"taken over by client-go", lease.Record{Holder: theirs, DurationSeconds: 60, Mark: ours + " 15"}, true, 60 * time.Second},
		{"client-go's own", lease.Record{Holder: theirs, DurationSeconds: 60}, true, 60 * time.Second},
		{"client-go's, released", lease.Record{DurationSeconds: 1}, false, time.Second},
		{"taken over after our release", lease.Record{Holder: theirs, DurationSeconds: 60, Mark: "released@2026-11-22T10:00:00.123456Z"}, true, 60 * time.Second},
		{"negative", lease.Record{Holder: theirs, DurationSeconds: -5}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.r.Foreign(); got != c.foreign {
				t.Errorf("foreign: %v, want %v", got, c.foreign)
			}
			if got := c.r.Validity(); got != c.validity {
				t.Errorf("validity %v, want %v", got, c.validity)
			}
		})
	}
}
