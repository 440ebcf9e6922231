//go:build linux

package examples

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestExamplesFailClosed takes each example through every state that must not be taken for leadership, with a good
// one between any two, so that it is seen to judge and not merely to be stuck.
func TestExamplesFailClosed(t *testing.T) {
	eachWay(t, func(t *testing.T, l language, w way) {
		mock := newMock(t)
		if w == byFile {
			mock.documents = nil // only POST /drained goes there
		}
		script := newTranscript(t)
		startWorker(t, l, w, script, mock.dir, mock.url)
		from := wantChange(t, script, 0, "standing by", "before there is anything")
		mock.wantDrained(t)
		wantQuiet(t, script, from, "before there is anything")

		token := 48213
		for _, state := range bad(l, w) {
			token++
			good := strconv.Itoa(token)
			mock.show(t, leading(t, good))
			from = wantChange(t, script, from, "leading token="+good, "a good state before: "+state.name)
			from = wantWork(t, script, from, good)
			reports := mock.reports()
			state.show(t, mock)
			from = wantChange(t, script, from, "standing by", state.name)
			eventually(t, state.name+": it reports its end", func() bool { return mock.reports() > reports })
			wantQuiet(t, script, from, state.name)
		}
	})
}

// A term that nobody renews ends by the worker's own clock.
func TestExamplesStopByTheClock(t *testing.T) {
	eachWay(t, func(t *testing.T, l language, w way) {
		mock := newMock(t)
		script := newTranscript(t)
		startWorker(t, l, w, script, mock.dir, mock.url)
		from := wantChange(t, script, 0, "standing by", "before there is anything")
		const runs = 3 * time.Second
		until := bootclock.System{}.Now().Add(runs)
		mock.show(t, picture{answer: 200, document: document(t, "7", until), leader: time.Now().Add(runs)})
		from = wantChange(t, script, from, "leading token=7", "a term of 3 s")
		from = wantWork(t, script, from, "7")
		from = wantChange(t, script, from, "standing by", "after it")
		for _, l := range script.from(0) {
			if late := l.at.Sub(until); !change(l.text) && late > killMargin {
				t.Errorf("it works %s after its deadline\n%s", late, script)
			}
		}
		wantQuiet(t, script, from, "after the term")
	})
}

// state is one that says nothing or nothing true.
type state struct {
	name string
	show func(*testing.T, *mock)
}

// bad returns the states that are not leadership, for that way of asking.
func bad(l language, w way) []state {
	shown := func(name string, spoil func(*testing.T, *picture)) state {
		return state{name, func(t *testing.T, m *mock) {
			p := leading(t, "99999")
			spoil(t, &p)
			m.show(t, p)
		}}
	}
	past := bootclock.System{}.Now().Add(-time.Millisecond)
	states := []state{
		shown("a stale document", func(t *testing.T, p *picture) {
			p.document, p.leader = document(t, "99999", past), time.Now().Add(-time.Second)
		}),
		shown("half a document", func(_ *testing.T, p *picture) { p.document = p.document[:len(p.document)/2] }),
		shown("a document without its end", func(_ *testing.T, p *picture) { p.document = strings.TrimRight(p.document, "}\n") }),
		shown("an empty document", func(_ *testing.T, p *picture) { p.document = "" }),
		shown("garbage", func(_ *testing.T, p *picture) { p.document = "yes\n" }),
		shown("another boot's document", func(t *testing.T, p *picture) {
			boot, err := bootclock.ID()
			if err != nil {
				t.Fatal(err)
			}
			p.document = strings.Replace(p.document, boot, "5c8f0e0e-8a57-4d0c-9a0e-0f5a3d1b7c22", 1)
		}),
		shown("a document without a deadline", func(_ *testing.T, p *picture) {
			p.document = strings.Replace(p.document, `"validUntilBoottimeNs":"`, `"validUntilBoottimeNs":null,"was":"`, 1)
		}),
		shown("a standby's document", func(_ *testing.T, p *picture) {
			p.document = strings.Replace(p.document, `"isLeader":true`, `"isLeader":false`, 1)
		}),
		shown("leadership inside a string", func(t *testing.T, p *picture) {
			said := strings.Replace(p.document, `"isLeader":true`, `"isLeader":false`, 1)
			lie, err := json.Marshal(`","isLeader":true,"lease":"`)
			if err != nil {
				t.Fatal(err)
			}
			p.document = strings.Replace(said, `"acme-752b7817f6"`, string(lie), 1)
		}),
	}
	if w == byHTTP {
		return append(states,
			shown("a refusal with a good document", func(_ *testing.T, p *picture) { p.answer = 503 }),
			shown("no answer in time", func(_ *testing.T, p *picture) { p.answer = never }),
			state{"a dead sidecar", func(_ *testing.T, m *mock) { m.dieButForReports() }},
		)
	}
	if !l.bootClock {
		states = append(states,
			shown("a stale leader file", func(_ *testing.T, p *picture) { p.leader = time.Now().Add(-time.Minute) }),
			shown("no leader file", func(_ *testing.T, p *picture) { p.leader = time.Time{} }),
		)
	}
	return append(states,
		state{"a missing document", func(t *testing.T, m *mock) { m.remove(t, leadership.StateFile) }},
		state{"no directory", func(t *testing.T, m *mock) {
			if err := os.Rename(m.dir, filepath.Join(filepath.Dir(m.dir), "away")); err != nil {
				t.Fatal(err)
			}
		}},
	)
}

// leading is the picture of a sidecar that leads for long.
func leading(t *testing.T, token string) picture {
	t.Helper()
	return picture{
		answer: 200, document: document(t, token, bootclock.System{}.Now().Add(time.Hour)),
		leader: time.Now().Add(time.Hour),
	}
}

// document is a leader's, of this boot.
func document(t *testing.T, token string, until bootclock.Instant) string {
	t.Helper()
	boot, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(leadership.Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_0b1f4c7e-6a52-4d3b-9a57-2f0c8e1d7b46",
		IsLeader: true, Leader: "web-5d9", Token: token, Transitions: 7, Since: time.Now(),
		ValidUntil: until, ValidUntilWall: time.Now().Add(time.Hour), BootID: boot,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}
