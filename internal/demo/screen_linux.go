package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 50 * time.Millisecond
	// cell is the time that one character of a timeline stands for, and cells how many there are.
	cell  = 250 * time.Millisecond
	cells = 56
)

// screen is the view for a terminal: a live table. It draws over itself from where the cursor stood, and leaves the last
// picture there.
type screen struct {
	out    io.Writer
	colour bool
	began  time.Time

	mu        sync.Mutex
	drawn     int // lines of the last picture
	now       string
	moves     []move
	sights    []sight
	timelines [][]string
}

func newScreen(out io.Writer, colour bool) *screen {
	n := len(replicaNames)
	return &screen{out: out, colour: colour, began: time.Now(), now: "three replicas start", sights: make([]sight, n), timelines: make([][]string, n)}
}

func (s *screen) announce(how, whom string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = how
	if whom != "all" {
		s.now += ": " + whom
	}
}

func (s *screen) moved(m move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves = append(s.moves, m)
	s.now = m.to + " leads"
}

// run redraws until ctx ends.
func (s *screen) run(ctx context.Context, replicas []*replica) {
	fmt.Fprint(s.out, "\x1b[?25l") // hide the cursor
	defer fmt.Fprint(s.out, "\x1b[?25h")
	for turn := 0; ctx.Err() == nil; turn++ {
		s.mu.Lock()
		for i, r := range replicas {
			s.sights[i] = r.sight()
		}
		s.advance(turn%int(cell/redrawEvery) == 0)
		s.draw()
		s.mu.Unlock()
		pause(ctx, redrawEvery)
	}
}

func (s *screen) end(v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = "the end"
	s.draw()
	style := green
	if v.err() != nil || v.moves != len(steps)+1 {
		style = red
	}
	fmt.Fprintf(s.out, "\n  %s\n", s.paint(style, v.String()))
}

// advance adds a cell to each timeline, or shows within the newest that a replica led in it.
func (s *screen) advance(next bool) {
	for i, sight := range s.sights {
		mark := sight.mark()
		line := s.timelines[i]
		switch {
		case next || len(line) == 0:
			line = append(line, mark)
		case mark == markLeads:
			line[len(line)-1] = mark
		}
		s.timelines[i] = line[max(0, len(line)-cells):]
	}
}

// The marks of a timeline, and how each is painted.
const (
	markLeads   = "█"
	markStandby = "─"
	markFrozen  = "░"
	markGone    = " "
)

var markStyles = map[string]style{markLeads: green, markFrozen: red, markStandby: dim}

func (s sight) mark() string {
	switch {
	case s.leads:
		return markLeads
	case s.condition == frozen:
		return markFrozen
	case s.condition == running:
		return markStandby
	}
	return markGone
}

// draw puts the picture over the last one, in one write so that it does not flicker.
func (s *screen) draw() {
	lines := s.picture()
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	s.drawn = len(lines)
	_, _ = io.WriteString(s.out, b.String())
}

func (s *screen) picture() []string {
	lines := []string{
		"",
		fmt.Sprintf("  %s   three replicas, one Lease of %s, no cluster%*s",
			s.paint(bold, "lease-sidecar demo"), leaseDuration, 14, time.Time{}.Add(time.Since(s.began)).Format("04:05")),
		"",
		s.paint(dim, fmt.Sprintf("  %-8s %-9s %-9s %7s %9s %9s", "REPLICA", "SIDECAR", "ROLE", "TOKEN", "VALID FOR", "WORK")),
	}
	timelines := []string{""}
	for i, name := range replicaNames {
		lines = append(lines, s.row(name, s.sights[i]))
		timelines = append(timelines, fmt.Sprintf("  %-8s %s", name, s.timeline(s.timelines[i])))
	}
	lines = append(lines, timelines...)
	lines = append(lines, "", "  "+s.paint(bold, "now: "+s.now), "",
		s.paint(dim, fmt.Sprintf("  %-31s %-15s %8s  %s", "MOVE", "", "TOOK", "NO LEADER FOR")))
	for _, m := range s.moves {
		lines = append(lines, fmt.Sprintf("  %-31s %-15s %8s  %s", m.how, m.from+" → "+m.to, rounded(m.took), rounded(m.alone)))
		if m.remark != "" {
			lines = append(lines, s.paint(dim, "    "+m.remark))
		}
	}
	return lines
}

func (s *screen) row(name string, v sight) string {
	role, left := "standby", ""
	style := plainStyle
	switch {
	case v.leads:
		role, left, style = "leader", fmt.Sprintf("%.1f s", v.left.Seconds()), green
	case v.condition == frozen || v.condition == killed:
		style = red
	}
	work := fmt.Sprintf("%d", v.work.Units)
	if v.work.Working {
		work = "» " + work
	}
	return s.paint(style, fmt.Sprintf("  %-8s %-9s %-9s %7s %9s %9s", name, v.condition, role, v.token, left, work))
}

func (s *screen) timeline(marks []string) string {
	var b strings.Builder
	for _, mark := range marks {
		b.WriteString(s.paint(markStyles[mark], mark))
	}
	return b.String()
}

// style is an escape sequence that changes how a terminal writes.
type style string

const (
	plainStyle style = ""
	bold       style = "\x1b[1m"
	dim        style = "\x1b[2m"
	green      style = "\x1b[32m"
	red        style = "\x1b[31m"
)

func (s *screen) paint(how style, text string) string {
	if !s.colour || how == plainStyle {
		return text
	}
	return string(how) + text + "\x1b[0m"
}
