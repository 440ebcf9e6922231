package plot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// panel is a small plot of one figure over its sweep.
type panel struct {
	figure catalog.Figure
	places []float64
	lines  []result.Subject
	// low and high are the least and the greatest median.
	low, high float64
	// log makes both axes logarithmic; else they are linear, from 0.
	log bool
	// labels puts the name of each line at its end.
	labels bool
}

func newPanel(run result.Run, id string) (panel, bool) {
	f, ok := catalog.Find(id)
	p := panel{figure: f, places: run.Places(id), lines: present(run, result.Subjects, id)}
	for _, at := range p.places {
		for _, who := range p.lines {
			if s, ok := run.Find(id, who, at); ok {
				median := s.Rank(.5)
				if p.high = max(p.high, median); p.low == 0 || median < p.low {
					p.low = median
				}
			}
		}
	}
	return p, ok && len(p.lines) > 0
}

// says is the panel as text.
func (p panel) says(run result.Run) string {
	var all []string
	for _, who := range p.lines {
		var values []string
		for _, at := range p.places {
			if s, ok := run.Find(p.figure.ID, who, at); ok {
				values = append(values, fmt.Sprintf("%s at %g", value(s.Rank(.5)), at))
			}
		}
		all = append(all, string(who)+" "+strings.Join(values, ", "))
	}
	return p.figure.Title + " (" + unit(p.figure) + "): " + strings.Join(all, "; ")
}

func unit(f catalog.Figure) string {
	switch f.Unit {
	case "":
		return "count"
	case "1/s":
		return "a second"
	default:
		return f.Unit
	}
}

// axes returns the scales within a box, and the ticks of the vertical one.
func (p panel) axes(left, top, right, bottom float64) (x, y scale, ticks []float64) {
	last := max(p.places[len(p.places)-1], 2*p.places[0])
	if p.log && p.low > 0 {
		y, ticks = logarithmic(p.low, max(p.high, 2*p.low), bottom, top)
		return scale{low: p.places[0], high: last, from: left + 14, to: right - 14, log: true}, y, ticks
	}
	y, ticks = linear(p.high, bottom, top, 5)
	return scale{high: last, from: left, to: right - 14}, y, ticks
}

// draw draws the medians over the places, within a box.
func (p panel) draw(c *svg.Canvas, run result.Run, left, top, w, h float64) {
	right, bottom := left+w, top+h
	x, y, ticks := p.axes(left, top, right, bottom)
	for _, tick := range ticks {
		c.Line("grid", left, y.at(tick), right, y.at(tick))
		if !p.log || len(ticks) <= 8 || leading(tick) == 1 {
			c.Text(left-6, y.at(tick)+4, "x muted end", short(tick))
		}
	}
	free := left
	for _, at := range p.places {
		c.Line("muted-line", x.at(at), bottom, x.at(at), bottom+4)
		if x.at(at) >= free { // the labels of near places would be on each other
			c.Text(x.at(at), bottom+17, "x muted mid", short(at))
			free = x.at(at) + 24
		}
	}
	ends := map[result.Subject]float64{}
	for _, who := range slices.Backward(p.lines) {
		var line []float64
		for _, at := range p.places {
			if s, ok := run.Find(p.figure.ID, who, at); ok {
				line = append(line, x.at(at), y.at(s.Rank(.5)))
				ends[who] = y.at(s.Rank(.5))
			}
		}
		l := looks[who]
		if len(line) > 2 {
			c.Line(l.line(), line...)
		}
		for i := 0; i < len(line); i += 2 {
			c.Circle(line[i], line[i+1], 3, l.class)
		}
	}
	if p.labels {
		p.label(c, run, right+2, ends)
	}
}

// label names the lines at their ends, one below the other where they are too near.
func (p panel) label(c *svg.Canvas, run result.Run, x float64, ends map[result.Subject]float64) {
	order := slices.SortedFunc(maps.Keys(ends), func(a, b result.Subject) int {
		return cmp.Or(cmp.Compare(ends[a], ends[b]), cmp.Compare(a, b))
	})
	free := 0.0
	for _, who := range order {
		y := max(ends[who]+4, free)
		free = y + 15
		text := string(who)
		if s, ok := run.Find(p.figure.ID, who, p.places[len(p.places)-1]); ok {
			text += ": " + value(s.Rank(.5))
		}
		c.Text(x, y, "s", text)
	}
}

// requests draws what fleets of several sizes ask of the API server.
func requests(run result.Run) svg.Picture {
	const title = "Requests of an idle fleet to the API server, by its size"
	one, ok := newPanel(run, "requests/fleet")
	p := svg.Picture{Name: "requests", Title: title}
	if !ok {
		return p
	}
	one.log, one.labels = true, true
	p.Height, p.Desc = 320, "Lines over the number of replicas. "+one.says(run)+"."
	p.Draw = func(c *svg.Canvas) {
		heading(c, title, "Requests a second of all replicas of one election, by medians. Both axes are logarithmic.")
		one.draw(c, run, 56, 72, 520, 200)
		c.Text(316, 308, "x muted mid", "replicas")
	}
	return p
}

// elections draws what many elections cost, figure by figure.
func elections(run result.Run) svg.Picture {
	const title = "One API server with many elections of three candidates"
	p := svg.Picture{Name: "elections", Title: title}
	var all []panel
	var says []string
	var who []result.Subject
	for _, part := range []string{"requests", "api-cpu", "api-rss", "etcd-writes", "etcd-cpu", "handover"} {
		one, ok := newPanel(run, "scale/elections/"+part)
		if !ok {
			continue
		}
		all, says = append(all, one), append(says, one.says(run))
		for _, s := range one.lines {
			if !slices.Contains(who, s) {
				who = append(who, s)
			}
		}
	}
	if len(all) == 0 {
		return p
	}
	const across, high = 3, 190.0
	rows := (len(all) + across - 1) / across
	p.Height, p.Desc = int(88+high*float64(rows)), "Small plots over the number of elections. "+strings.Join(says, ". ")+"."
	p.Draw = func(c *svg.Canvas) {
		heading(c, title, "The number of elections is below each axis. A straight line is a cost for each election that does not grow.")
		legend(c, 16, 72, who)
		for i, one := range all {
			left, top := 56+float64(i%across)*244, 120+float64(i/across)*high
			titled(c, left-40, top-16, one.figure.Title, unit(one.figure))
			one.draw(c, run, left, top, 178, 118)
		}
	}
	return p
}
