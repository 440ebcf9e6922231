package lease

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMark(t *testing.T) {
	for _, c := range []struct {
		text     string
		identity string
		duration time.Duration
		ok       bool
	}{
		{HeldMark("web-5d9_0b1f", 15*time.Second), "web-5d9_0b1f", 15 * time.Second, true},
		{"a 3", "a", 3 * time.Second, true},
		{"a 2147483647", "a", 2147483647 * time.Second, true},
		{"", "", 0, false},
		{"a", "", 0, false},
		{"a ", "", 0, false},
		{" 15", "", 0, false},
		{"a 0", "", 0, false},
		{"a -15", "", 0, false},
		{"a 15s", "", 0, false},
		{"a 1.5", "", 0, false},
		{"a 15 ", "", 0, false},
		{"a b 15", "", 0, false},
		{"a 2147483648", "", 0, false},
		{"a 99999999999999999999", "", 0, false},
		{ReleasedMark(renewed), "", 0, false},
		{strings.Repeat("x", 1000), "", 0, false},
	} {
		identity, duration, ok := parseMark(c.text)
		if ok != c.ok || identity != c.identity || duration != c.duration {
			t.Errorf("parseMark(%.50q) = %q, %v, %v, want %q, %v, %v", c.text, identity, duration, ok, c.identity, c.duration, c.ok)
		}
	}
}

func TestMarksAsText(t *testing.T) {
	if diff := cmp.Diff("web_1 15", HeldMark("web_1", 15*time.Second)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	elsewhere := renewed.In(time.FixedZone("east", 3600))
	if diff := cmp.Diff("released@2026-11-22T10:00:00.123456Z", ReleasedMark(elsewhere)); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

func TestForeignAndValidity(t *testing.T) {
	const ours, theirs = "web_1", "other_2"
	for _, c := range []struct {
		name     string
		r        Record
		foreign  bool
		validity time.Duration
	}{
		{"empty", Record{}, false, 0},
		{"ours", Record{Holder: ours, DurationSeconds: 15, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration edited down", Record{Holder: ours, DurationSeconds: 1, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration edited up", Record{Holder: ours, DurationSeconds: 3600, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, duration removed", Record{Holder: ours, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, blanked by hand", Record{DurationSeconds: 1, Mark: ours + " 15"}, false, 15 * time.Second},
		{"ours, mark removed", Record{Holder: ours, DurationSeconds: 15}, true, 15 * time.Second},
		{"ours, mark garbled", Record{Holder: ours, DurationSeconds: 15, Mark: ours}, true, 15 * time.Second},
		{"taken over by client-go", Record{Holder: theirs, DurationSeconds: 60, Mark: ours + " 15"}, true, 60 * time.Second},
		{"client-go's own", Record{Holder: theirs, DurationSeconds: 60}, true, 60 * time.Second},
		{"client-go's, released", Record{DurationSeconds: 1}, false, time.Second},
		{"taken over after our release", Record{Holder: theirs, DurationSeconds: 60, Mark: "released@2026-11-22T10:00:00.123456Z"}, true, 60 * time.Second},
		{"negative", Record{Holder: theirs, DurationSeconds: -5}, true, 0},
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
