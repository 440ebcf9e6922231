package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mark is what a timeline shows of an instant. Of several in one cell, the greatest is shown.
type mark int

const (
	notRunning mark = iota
	standby
	notRenewed
	leader
)

// marks are how each looks, and what the legend says of it.
var marks = [...]struct{ style, sign, name string }{
	notRunning: {red, "░", "not running"},
	standby:    {dim, "─", "standby"},
	notRenewed: {red, "▓", "leader, not renewed"}, // its term is valid until the deadline, but its sidecar is dead or frozen
	leader:     {green, "█", "leader"},
}

func (s sight) mark() mark {
	switch {
	case s.leads && s.condition == running:
		return leader
	case s.leads:
		return notRenewed
	case s.condition == running:
		return standby
	}
	return notRunning
}

// page is a picture in the making: lines that are not longer than its width.
type page struct {
	width  int
	colour bool
	lines  []string
}

func (p *page) add(style, text string) {
	if cells := []rune(text); len(cells) > p.width {
		text = string(cells[:max(0, p.width)])
	}
	p.lines = append(p.lines, p.paint(style, text))
}

// The styles in which a terminal writes, as ECMA-48 numbers them; "" is plain.
const bold, dim, red, green = "1", "2", "31", "32"

func (p *page) paint(style, text string) string {
	if !p.colour || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// picture returns the lines for so many columns and rows. What has no room is left out: blank lines first, then the oldest
// moves. The last picture, with the verdict, is as long as it has to be.
func (s *screen) picture(columns, rows int) []string {
	p := &page{width: columns - 1, colour: s.Colour} // some terminals wrap behind the last column
	s.addReplicas(p)
	s.addTimelines(p)
	if s.verdict != nil {
		s.addMoves(p)
		s.addVerdict(p)
		return p.lines
	}
	s.addNow(p)
	s.addMoves(p)
	if len(p.lines) > rows {
		p.lines = slices.DeleteFunc(p.lines, func(line string) bool { return line == "" })
	}
	if over := min(len(p.lines)-rows, len(s.moves)); over > 0 {
		oldest := len(p.lines) - len(s.moves)
		p.lines = slices.Delete(p.lines, oldest, oldest+over)
	}
	return p.lines[:min(rows, len(p.lines))]
}

const (
	replicaRow = "  %-7s %-7s %-19s %5s %9s %5s" // 59 columns: all that a terminal of 60 has room for
	moveRow    = "  %-9s  %-13s  %7s  %-7s  %s"
)

func (s *screen) addReplicas(p *page) {
	title, clock := "  lease-sidecar demo, without a cluster", fmt.Sprintf("%.0f of about %s", s.elapsed.Seconds(), seconds(usualTime))
	if s.verdict != nil {
		clock = rounded(s.elapsed)
	}
	p.add(bold, fmt.Sprintf("%s%*s", title, p.width-len(title), clock))
	p.add("", "")
	p.add(dim, fmt.Sprintf(replicaRow, "REPLICA", "SIDECAR", "ROLE", "TOKEN", "VALID FOR", "WORK"))
	for i, name := range replicaNames {
		v := s.sights[i]
		role, left, work := marks[v.mark()], "", fmt.Sprint(v.work.Units)
		if v.leads {
			left = fmt.Sprintf("%.1f s", v.left.Seconds())
		}
		if v.work.Working {
			work = "»" + work
		}
		p.add(role.style, fmt.Sprintf(replicaRow, name, v.condition, role.name, v.token, left, work))
	}
	p.add("", "")
}

// addTimelines adds what was seen of each replica from the start, over the whole width, with the time below.
func (s *screen) addTimelines(p *page) {
	const margin = "  %-7s"
	cells, span := max(1, p.width-len("  toy-a  ")), max(s.elapsed, time.Second)
	if s.verdict == nil {
		span = max(span, usualTime+time.Second)
	}
	for i, name := range replicaNames {
		var line strings.Builder
		fmt.Fprintf(&line, margin, name)
		for c := range cells {
			from, to := int(span/tick)*c/cells, int(span/tick)*(c+1)/cells
			if from >= len(s.seen[i]) {
				break
			}
			m := marks[slices.Max(s.seen[i][from:min(max(from+1, to), len(s.seen[i]))])]
			line.WriteString(p.paint(m.style, m.sign))
		}
		p.lines = append(p.lines, line.String())
	}
	p.add(dim, fmt.Sprintf(margin, "")+axis(span, cells))
	legend, length := " ", 0
	for _, m := range slices.Backward(marks[:]) {
		if length += len("  # ") + len(m.name); length <= p.width {
			legend += " " + p.paint(m.style, m.sign) + " " + m.name + " "
		}
	}
	p.lines = append(p.lines, strings.TrimRight(legend, " "))
	p.add("", "")
}

// axis writes the seconds below so many cells that stand for span, as many as there is room for.
func axis(span time.Duration, cells int) (line string) {
	column := func(at time.Duration) int { return int(at) * cells / int(span) }
	step := time.Second
	for column(step) < len("|10 s  ") {
		step *= 2
	}
	for at := time.Duration(0); column(at)+len("|10 s") <= cells; at += step {
		line = fmt.Sprintf("%-*s|%s", column(at), line, seconds(at))
	}
	return line
}

func (s *screen) addNow(p *page) {
	style, text := bold, "  "+s.now
	if alone := s.elapsed - s.led; alone > 0 {
		style, text = red, fmt.Sprintf("%s; NO LEADER FOR %.1f s", text, alone.Seconds())
	}
	p.add(style, text)
	p.add("", "")
}

func (s *screen) addMoves(p *page) {
	p.add(dim, fmt.Sprintf(moveRow, "MOVE", "", "TOOK", "NO LEADER FOR", ""))
	for _, m := range s.moves {
		row := fmt.Sprintf(moveRow, m.how, m.from+" → "+m.to, rounded(m.took), rounded(m.alone), "")
		if len([]rune(row+m.remark)) <= p.width {
			row += m.remark
		}
		p.add("", row)
	}
}

// addVerdict adds what was found, and what to do next.
func (s *screen) addVerdict(p *page) {
	style := red
	if s.verdict.well() {
		style = green
	}
	moves, found, _ := strings.Cut(s.verdict.String(), ": ")
	p.add("", "")
	p.add(style, "  "+moves+":")
	p.add(style, "  "+found)
	if s.verdict.well() {
		for _, line := range s.nextStep(p.width - len("  ")) {
			p.add("", "  "+line)
		}
	}
}

// nextStep says in one line what to do after the demo, or in two if one is wider than width.
func (s *screen) nextStep(width int) []string {
	read, with := "next: follow docs/tutorial/first-election.md", "with "+s.Program
	if line := read + " " + with; len([]rune(line)) <= width {
		return []string{line}
	}
	return []string{read, with}
}
