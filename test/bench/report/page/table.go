package page

import (
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

const notMeasured = "not measured"

// columns is a table of Markdown that grows by rows.
type columns struct{ b strings.Builder }

func (c *columns) row(cells ...string) {
	c.b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (c *columns) head(cells ...string) {
	c.row(cells...)
	c.row(slices.Repeat([]string{"---"}, len(cells))...)
}

// place is a figure at one place of its sweep.
type place struct {
	catalog.Figure

	at float64
}

// places returns the rows that a figure needs: one, or one for each place of its sweep at which it was measured.
func places(f catalog.Figure, run result.Run) []place {
	all := run.Places(f.ID)
	if len(all) == 0 {
		return []place{{f, 0}}
	}
	var found []place
	for _, at := range all {
		found = append(found, place{f, at})
	}
	return found
}

// name is the first cell of a row.
func (p place) name() string {
	text := p.Title
	if ours, _ := p.Pair(); ours == result.Short {
		text += ", at 5 s"
	}
	if p.at != 0 {
		text += ", " + counted(p.at, p.At)
	}
	if p.Unit != "" {
		text += ", " + p.Unit
	}
	return text
}

// counted writes a number of things, whose name is given in the plural.
func counted(n float64, things string) string {
	if n == 1 {
		things = strings.TrimSuffix(things, "s")
	}
	return number(n) + " " + things
}

// ratio compares the medians of lease-sidecar and client-go.
func (p place) ratio(run result.Run) string {
	ours, theirs := p.Pair()
	us, measured := run.Find(p.ID, ours, p.at)
	them, both := run.Find(p.ID, theirs, p.at)
	if !measured || !both {
		return none
	}
	return times(us.Rank(.5), them.Rank(.5))
}

// targets says of each target whether it is met. A target for a subject that was not measured needs no words where another has some.
func (p place) targets(run result.Run) string {
	var says []string
	for _, limit := range p.Targets {
		if limit.At != 0 && limit.At != p.at {
			continue
		}
		switch verdict, _, _ := limit.Judge(run, p.ID, p.at); verdict {
		case catalog.Met:
			says = append(says, limit.Text+": met")
		case catalog.Missed:
			says = append(says, "**"+limit.Text+": miss**")
		case catalog.NotMeasured:
			if limit.Of == "" || limit.Of == result.Short && !slices.Contains(p.Subjects(), result.Sidecar) {
				says = append(says, limit.Text+": "+notMeasured)
			}
		}
	}
	if len(says) == 0 {
		return none
	}
	return strings.Join(says, "; ")
}

// table writes the table of a section, what its figures are, why targets are missed, and the command.
func table(s catalog.Section, run result.Run) string {
	var c columns
	switch s.Form {
	case catalog.Samples:
		samples(&c, s, run)
	case catalog.Subjects:
		subjects(&c, s, run)
	case catalog.Sweep:
		sweep(&c, s, run)
	}
	return c.b.String() + "\n" + misses(s.Figures, run) + notes(s.Figures, run) + meanings(s.Figures) + commands(s.Figures)
}

// samples writes a row for each subject of each figure.
func samples(c *columns, s catalog.Section, run result.Run) {
	c.head("what", "who", "n", "p50", "middle half", "p99", "max", "beside client-go, by p50", "target")
	for _, f := range s.Figures {
		for _, p := range places(f, run) {
			first := true
			for _, who := range result.Subjects {
				series, measured := run.Find(p.ID, who, p.at)
				wanted := slices.Contains(p.Subjects(), who)
				if !measured && (!wanted || who == result.Before) {
					continue
				}
				ratio, target := none, none
				if who == result.Sidecar || first && !slices.Contains(p.Subjects(), result.Sidecar) {
					ratio, target = p.ratio(run), p.targets(run)
				}
				first = false
				if !measured {
					c.row(p.name(), string(who), notMeasured, none, none, none, none, ratio, target)
					continue
				}
				p99 := none
				if series.Count() >= enough {
					p99 = number(series.Rank(.99))
				}
				half := none
				if series.Count() > 1 {
					half = number(series.Rank(.25)) + "–" + number(series.Rank(.75))
				}
				c.row(p.name(), string(who), number(float64(series.Count())), number(series.Rank(.5)), half, p99, number(series.Rank(1)), ratio, target)
			}
		}
	}
}

// subjects writes a row for each figure, and a column for each subject that takes part.
func subjects(c *columns, s catalog.Section, run result.Run) {
	var who []result.Subject
	for _, one := range result.Subjects {
		if one == result.Sidecar || one == result.ClientGo || slices.ContainsFunc(run.Series, func(series result.Series) bool {
			return series.Subject == one && slices.ContainsFunc(s.Figures, func(f catalog.Figure) bool { return f.ID == series.Figure })
		}) {
			who = append(who, one)
		}
	}
	cells := []string{"what"}
	for _, one := range who {
		cells = append(cells, string(one))
	}
	c.head(append(cells, "n", "beside client-go, by the median", "target")...)
	for _, f := range s.Figures {
		for _, p := range places(f, run) {
			cells := []string{p.name()}
			least, most := 0, 0
			for _, one := range who {
				series, measured := run.Find(p.ID, one, p.at)
				switch {
				case measured:
					cells = append(cells, spread(series))
					most = max(most, series.Count())
					if least == 0 {
						least = series.Count()
					}
					least = min(least, series.Count())
				case one == result.Sidecar || one == result.ClientGo && slices.Contains(p.Subjects(), one):
					cells = append(cells, notMeasured)
				default:
					cells = append(cells, none)
				}
			}
			n := number(float64(least))
			if least != most {
				n += "–" + number(float64(most))
			}
			c.row(append(cells, n, p.ratio(run), p.targets(run))...)
		}
	}
}
