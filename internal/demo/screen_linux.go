package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 50 * time.Millisecond
	// cell is the time that one character of a timeline stands for; cells is how many there are.
	cell  = 250 * time.Millisecond
	cells = 56
)

// screen shows the user what happens: in a terminal a live table, which draws over itself; elsewhere a line at a time.
type screen struct {
	Config
	began time.Time

	mu        sync.Mutex
	drawn     int // lines of the last picture
	now       string
	moves     []move
	sights    []sight
	timelines [][]mark
}

func newScreen(cfg Config) *screen {
	n := len(replicaNames)
	return &screen{Config: cfg, began: time.Now(), now: "three replicas start", sights: make([]sight, n), timelines: make([][]mark, n)}
}

// announce says what is about to be done.
func (s *screen) announce(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = what
	if !s.Live {
		fmt.Fprintln(s.Out, "now: "+what)
	}
}

func (s *screen) moved(m move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves, s.now = append(s.moves, m), m.to+" leads"
	if s.Live {
		return
	}
	fmt.Fprintf(s.Out, "  %s -> %s in %s; no leader for %s", m.from, m.to, rounded(m.took), rounded(m.alone))
	if m.remark != "" {
		fmt.Fprintf(s.Out, "; %s", m.remark)
	}
	fmt.Fprintln(s.Out)
}

// run keeps the table up to date until ctx ends.
func (s *screen) run(ctx context.Context, replicas []*replica) {
	if !s.Live {
		return
	}
	fmt.Fprint(s.Out, "\x1b[?25l") // hide the cursor
	defer fmt.Fprint(s.Out, "\x1b[?25h")
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
	if !s.Live {
		fmt.Fprintln(s.Out, v)
		return
	}
	s.now = "the end"
	s.draw()
	style := green
	if v.err() != nil || v.moves != len(steps)+1 {
		style = red
	}
	fmt.Fprintf(s.Out, "\n  %s\n", s.paint(style, v.String()))
}

// advance adds a cell to each timeline, or shows within the newest that a replica led in it.
func (s *screen) advance(next bool) {
	for i, sight := range s.sights {
		mark, line := sight.mark(), s.timelines[i]
		switch {
		case next || len(line) == 0:
			line = append(line, mark)
		case sight.leads:
			line[len(line)-1] = mark
		}
		s.timelines[i] = line[max(0, len(line)-cells):]
	}
}

// mark is a cell of a timeline.
type mark struct{ style, sign string }

func (s sight) mark() mark {
	switch {
	case s.leads:
		return mark{green, "█"}
	case s.condition == frozen:
		return mark{red, "░"}
	case s.condition == running:
		return mark{dim, "─"}
	}
	return mark{"", " "}
}

// draw puts the picture over the last one, in one write so that it does not flicker.
func (s *screen) draw() {
	picture, up := s.picture(), ""
	if s.drawn > 0 {
		up = fmt.Sprintf("\x1b[%dA", s.drawn)
	}
	s.drawn = strings.Count(picture, "\n")
	fmt.Fprint(s.Out, up+strings.ReplaceAll(picture, "\n", "\x1b[K\n"))
}

const (
	replicaRow = "  %-8s %-9s %-9s %7s %9s %9s"
	moveRow    = "  %-31s %-15s %8s  %s"
)

func (s *screen) picture() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s   three replicas, one Lease of %s, no cluster%*s\n\n",
		s.paint(bold, "lease-sidecar demo"), leaseDuration, 14, time.Time{}.Add(time.Since(s.began)).Format("04:05"))
	fmt.Fprintln(&b, s.paint(dim, fmt.Sprintf(replicaRow, "REPLICA", "SIDECAR", "ROLE", "TOKEN", "VALID FOR", "WORK")))
	for i, name := range replicaNames {
		fmt.Fprintln(&b, s.row(name, s.sights[i]))
	}
	fmt.Fprintln(&b)
	for i, name := range replicaNames {
		fmt.Fprintf(&b, "  %-8s %s\n", name, s.timeline(i))
	}
	fmt.Fprintf(&b, "\n  %s\n\n", s.paint(bold, "now: "+s.now))
	fmt.Fprintln(&b, s.paint(dim, fmt.Sprintf(moveRow, "MOVE", "", "TOOK", "NO LEADER FOR")))
	for _, m := range s.moves {
		fmt.Fprintf(&b, moveRow+"\n", m.how, m.from+" → "+m.to, rounded(m.took), rounded(m.alone))
		if m.remark != "" {
			fmt.Fprintln(&b, s.paint(dim, "    "+m.remark))
		}
	}
	return b.String()
}

func (s *screen) row(name string, v sight) string {
	role, left, style := "standby", "", ""
	switch {
	case v.leads:
		role, left, style = "leader", fmt.Sprintf("%.1f s", v.left.Seconds()), green
	case v.condition == frozen || v.condition == killed:
		style = red
	}
	work := fmt.Sprint(v.work.Units)
	if v.work.Working {
		work = "» " + work
	}
	return s.paint(style, fmt.Sprintf(replicaRow, name, v.condition, role, v.token, left, work))
}

func (s *screen) timeline(i int) string {
	var b strings.Builder
	for _, m := range s.timelines[i] {
		b.WriteString(s.paint(m.style, m.sign))
	}
	return b.String()
}

// The styles in which a terminal writes, as ECMA-48 numbers them; "" is plain.
const bold, dim, red, green = "1", "2", "31", "32"

func (s *screen) paint(style, text string) string {
	if !s.Colour || style == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}
