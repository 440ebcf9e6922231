package leadership

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const boot = "7d3f9d6e-5c0b-4d5a-8a8e-0f2f4e8f9f10"

func leading() Leadership {
	return Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11",
		IsLeader: true, Leader: "web-5d9", Token: "48213", Transitions: 7,
		Since:          time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC),
		ValidUntil:     812345678901,
		ValidUntilWall: time.Date(2026, 11, 22, 10, 0, 10, 120_000_000, time.UTC),
		BootID:         boot,
	}
}

func draining() Leadership {
	l := leading()
	l.IsLeader, l.Leader, l.Token, l.Since = false, "", "", time.Time{}
	return l
}

func standby() Leadership {
	l := draining()
	l.Leader, l.ValidUntil, l.ValidUntilWall = "web-7c4", 0, time.Time{}
	return l
}

// The documents that are promised to readers, to the letter.
var documents = map[string]struct {
	value Leadership
	text  string
}{
	"leading": {leading(), `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11","isLeader":true,` +
		`"leader":"web-5d9","token":"48213","transitions":7,` +
		`"since":"2026-11-22T10:00:00.123Z","validUntil":"2026-11-22T10:00:10.120Z",` +
		`"validUntilBoottimeNs":"812345678901","bootID":"` + boot + `"}`},
	"draining": {draining(), `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11","isLeader":false,` +
		`"leader":"","token":"","transitions":7,` +
		`"since":null,"validUntil":"2026-11-22T10:00:10.120Z",` +
		`"validUntilBoottimeNs":"812345678901","bootID":"` + boot + `"}`},
	"standby": {standby(), `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11","isLeader":false,` +
		`"leader":"web-7c4","token":"","transitions":7,` +
		`"since":null,"validUntil":null,"validUntilBoottimeNs":null,"bootID":"` + boot + `"}`},
}

func TestDocument(t *testing.T) {
	for name, tc := range documents {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.text, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var back Leadership
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.value, back); diff != "" {
				t.Errorf("read back (-want +got)\n%s", diff)
			}
		})
	}
}

// A deadline is rounded down and printed in UTC, whatever zone it was made in.
func TestDocumentRoundsDown(t *testing.T) {
	l := leading()
	l.ValidUntilWall = time.Date(2026, 11, 22, 11, 0, 10, 120_999_999, time.FixedZone("one", 3600))
	got, err := json.Marshal(l)
	if err != nil || !strings.Contains(string(got), `"validUntil":"2026-11-22T10:00:10.120Z"`) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	whole := documents["leading"].text
	change := func(part, by string) string {
		t.Helper()
		if !strings.Contains(whole, part) {
			t.Fatalf("the document has no %s", part)
		}
		return strings.Replace(whole, part, by, 1)
	}
	for name, in := range map[string]string{
		"nothing":                    "",
		"null":                       "null",
		"garbage":                    "leader",
		"an array":                   "[]",
		"half":                       whole[:len(whole)/2],
		"more after it":              whole + "{}",
		"too large":                  change(`"acme`, `"`+strings.Repeat("a", DocumentMax)),
		"without isLeader":           change(`"isLeader":true,`, ""),
		"isLeader null":              change(`"isLeader":true`, `"isLeader":null`),
		"isLeader a string":          change(`"isLeader":true`, `"isLeader":"true"`),
		"without bootID":             change(`,"bootID":"`+boot+`"`, ""),
		"leader without boot":        change(boot, ""),
		"leader without token":       change(`"48213"`, `""`),
		"token a number":             change(`"48213"`, `48213`),
		"token not decimal":          change(`"48213"`, `"0x1f"`),
		"negative transitions":       change(`:7`, `:-7`),
		"leader without deadline":    change(`"validUntilBoottimeNs":"812345678901"`, `"validUntilBoottimeNs":null`),
		"leader without wall clock":  change(`"validUntil":"2026-11-22T10:00:10.120Z"`, `"validUntil":null`),
		"leader without since":       change(`"since":"2026-11-22T10:00:00.123Z"`, `"since":null`),
		"deadline a number":          change(`"812345678901"`, `812345678901`),
		"deadline negative":          change(`"812345678901"`, `"-1"`),
		"deadline beyond all clocks": change(`"812345678901"`, `"99999999999999999999"`),
		"time garbage":               change(`"2026-11-22T10:00:10.120Z"`, `"soon"`),
		"standby with a token":       change(`"isLeader":true`, `"isLeader":false`),
	} {
		t.Run(name, func(t *testing.T) {
			l := standby()
			if err := json.Unmarshal([]byte(in), &l); err == nil {
				t.Errorf("it was taken: %+v", l)
			}
			if diff := cmp.Diff(standby(), l); diff != "" {
				t.Errorf("a refusal changed the value (-want +got)\n%s", diff)
			}
		})
	}
}

// A newer sidecar may add fields; an older reader goes on working.
func TestUnmarshalPassesOverNewFields(t *testing.T) {
	var got Leadership
	text := strings.Replace(documents["leading"].text, `{`, `{"shard":{"of":3},`, 1)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(leading(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAt(t *testing.T) {
	until := leading().ValidUntil
	withHolder := standby()
	withHolder.LeaderUntil = until
	endless := leading()
	endless.ValidUntil = 0
	for _, tc := range []struct {
		name       string
		l          Leadership
		now        bootclock.Instant
		wantLeader bool
		wantName   string
		wantUntil  bootclock.Instant
	}{
		{"before the deadline", leading(), until - 1, true, "web-5d9", until},
		{"at the deadline", leading(), until, false, "", 0},
		{"after the deadline", leading(), until.Add(time.Hour), false, "", 0},
		{"draining", draining(), until - 1, false, "", until},
		{"drained", draining(), until, false, "", 0},
		{"a term without end", endless, 1, false, "", 0},
		{"holder alive", withHolder, until - 1, false, "web-7c4", 0},
		{"holder expired", withHolder, until, false, "", 0},
		{"holder of unknown end", standby(), until, false, "web-7c4", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.l.At(tc.now)
			if got.IsLeader != tc.wantLeader || got.Leader != tc.wantName || got.ValidUntil != tc.wantUntil {
				t.Errorf("got %+v", got)
			}
			if (got.Token != "") != tc.wantLeader || got.Since.IsZero() == tc.wantLeader || got.ValidUntil.IsZero() != got.ValidUntilWall.IsZero() {
				t.Errorf("what goes with leadership does not: %+v", got)
			}
		})
	}
}

func TestDraining(t *testing.T) {
	for name, tc := range map[string]struct {
		l    Leadership
		want bool
	}{
		"leading":        {leading(), false},
		"a drain":        {draining(), true},
		"a drain's end":  {draining().At(leading().ValidUntil), false},
		"the term's end": {leading().At(leading().ValidUntil), false},
		"standby":        {standby(), false},
	} {
		if got := tc.l.Draining(); got != tc.want {
			t.Errorf("%s: draining %v, want %v", name, got, tc.want)
		}
	}
}

func TestSameTerm(t *testing.T) {
	renewed := leading()
	renewed.ValidUntil += 1e9
	renewed.Observed = 5
	if !leading().SameTerm(renewed) {
		t.Error("a renewal is another term")
	}
	next := leading()
	next.Token = "48214"
	for name, other := range map[string]Leadership{"a new token": next, "draining": draining(), "standby": standby()} {
		if leading().SameTerm(other) {
			t.Errorf("%s is the same term", name)
		}
	}
}
