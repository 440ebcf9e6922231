package demo

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func threeSights(colour bool) (*screen, *bytes.Buffer) {
	var out bytes.Buffer
	s := newScreen(Config{Out: &out, Live: true, Colour: colour})
	s.sights = []sight{
		{leads: true, token: "7", left: 1700 * time.Millisecond, work: workReport{Working: true, Units: 12}, condition: running},
		{condition: frozen},
		{condition: killed, work: workReport{Units: 3}},
	}
	return s, &out
}

// A row says what is seen of a replica, in colour only where that is wanted.
func TestRows(t *testing.T) {
	s, _ := threeSights(true)
	if row := s.row("toy-a", s.sights[0]); !strings.HasPrefix(row, "\x1b["+green+"m") {
		t.Errorf("the leader's row is %q", row)
	}
	s.Colour = false
	var got []string
	for i, name := range replicaNames {
		got = append(got, strings.Join(strings.Fields(s.row(name, s.sights[i])), " "))
	}
	want := []string{"toy-a running leader 7 1.7 s » 12", "toy-b frozen standby 0", "toy-c killed standby 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Each picture covers the last one exactly, also when it has grown.
func TestPicturesCoverEachOther(t *testing.T) {
	s, out := threeSights(false)
	s.draw()
	first := strings.Count(out.String(), "\n")
	s.moved(move{how: "step down", from: "toy-a", to: "toy-b", took: 12 * time.Millisecond, remark: "well"})
	out.Reset()
	s.draw()
	if up := fmt.Sprintf("\x1b[%dA", first); !strings.HasPrefix(out.String(), up) {
		t.Errorf("the second picture begins with %q; want %d lines up", out.String()[:8], first)
	}
	if second := strings.Count(out.String(), "\n"); second != first+2 {
		t.Errorf("it grew from %d to %d lines; want two more", first, second)
	}
	if !strings.Contains(out.String(), "toy-a → toy-b      12 ms") {
		t.Errorf("no move in\n%s", out.String())
	}
}

// A cell shows that a replica led within it, however shortly; a new cell starts afresh; the oldest falls off.
func TestTimeline(t *testing.T) {
	s, _ := threeSights(false)
	s.advance(true)
	s.sights[0].leads, s.sights[1].leads = false, true
	s.advance(false)
	s.advance(true)
	got := []string{s.timeline(0), s.timeline(1), s.timeline(2)}
	if diff := cmp.Diff([]string{"█─", "██", "  "}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for range 2 * cells {
		s.advance(true)
	}
	if got := len(s.timelines[0]); got != cells {
		t.Errorf("%d cells; want %d", got, cells)
	}
}

func TestVerdict(t *testing.T) {
	for _, v := range []verdict{{led: 1}, {work: 1}} {
		if v.err() == nil {
			t.Errorf("%+v passes", v)
		}
	}
	if err := (verdict{looks: 9}).err(); err != nil {
		t.Error(err)
	}
}
