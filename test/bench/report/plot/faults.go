package plot

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// outcome is what a fault did to the election of one subject, in seconds.
type outcome struct {
	fault            string
	who              result.Subject
	median, most     float64 // nobody works
	twice            float64 // two work: the longest
	first, withTwice bool
}

// faults draws for how long nobody works, to the right, and for how long two do, to the left.
func faults(run result.Run) svg.Picture {
	const title = "Nobody works, and two work: by fault"
	p := svg.Picture{Name: "faults", Title: title}
	who := pair(run)
	var all []outcome
	var says []string
	right, left := 0.0, 0.0
	for _, fault := range catalog.Faults {
		first := true
		for _, one := range who {
			s, ok := run.Find("leaderless/"+fault.ID, one, 0)
			if !ok {
				continue
			}
			o := outcome{fault: fault.Title, who: one, median: s.Rank(.5), most: s.Rank(1), first: first}
			text := fmt.Sprintf("%s, %s: nobody for %s s, at most %s s", fault.Title, one, value(o.median), value(o.most))
			if twice, ok := run.Find("overlap/"+fault.ID, one, 0); ok {
				o.twice, o.withTwice = twice.Rank(1), true
				text += fmt.Sprintf(", two for at most %s s", value(o.twice))
			}
			first = false
			right, left = max(right, o.most), max(left, o.twice)
			all, says = append(all, o), append(says, text)
		}
	}
	if len(all) == 0 {
		return p
	}
	const top, bar, gap = 112.0, 15.0, 10.0
	height := top
	for _, o := range all {
		if height += bar; o.first {
			height += gap
		}
	}
	p.Height = int(height + 44)
	p.Desc = "Bars for each fault. " + strings.Join(says, "; ") + "."
	p.Draw = func(c *svg.Canvas) {
		heading(c, title, "To the right: how long nobody works, by the median; the thin line ends at the longest.")
		c.Text(16, 64, "s muted", "To the left, in red: the longest time with two at work.")
		legend(c, 16, 88, who)
		// Both directions have one scale, and room for the values. The labels of the faults are left of both.
		const first, last, toTheLeft, toTheRight = 190.0, 752.0, 44.0, 100.0
		perSecond := (last - first - toTheLeft - toTheRight) / (right + left)
		zero := first + toTheLeft + left*perSecond
		x := scale{low: 0, high: 1, from: zero, to: zero + perSecond}
		_, ticks := linear(max(right, left), 0, 1, 8)
		for _, tick := range ticks {
			for _, signed := range []float64{-tick, tick} {
				if at := x.at(signed); at >= first && at <= last && (tick > 0 || signed == tick) {
					c.Line("grid", at, top, at, height+8)
					c.Text(at, height+23, "x muted mid", short(tick)+" s")
				}
			}
		}
		c.Line("muted-line", zero, top-2, zero, height+8)
		c.Text(zero+6, top, "x muted", "nobody works →")
		c.Text(zero-6, top, "x muted end", "← two work")
		y := top
		for _, o := range all {
			if o.first {
				y += gap
				c.Text(first-8, y+bar-3, "s end", o.fault)
			}
			l := looks[o.who]
			c.Rect(zero, y+2, max(1, x.at(o.median)-zero), bar-4, 1, l.class)
			c.Line(l.class+"-line", x.at(o.median), y+bar/2, x.at(o.most), y+bar/2)
			text := value(o.median)
			if most := value(o.most); most != text {
				text += ", max " + most
			}
			c.Text(x.at(o.most)+5, y+bar-3, "x halo", text)
			if o.twice > 0 {
				c.Rect(x.at(-o.twice), y+2, max(1, zero-x.at(-o.twice)), bar-4, 1, "overlap")
				c.Text(x.at(-o.twice)-5, y+bar-3, "x halo end", value(o.twice))
			}
			y += bar
		}
	}
	return p
}

// pair returns the two subjects to compare: those with the default timings, or those with short ones where only they were measured.
func pair(run result.Run) []result.Subject {
	var figures []string
	for _, fault := range catalog.Faults {
		figures = append(figures, "leaderless/"+fault.ID)
	}
	if all := present(run, []result.Subject{result.Sidecar, result.ClientGo}, figures...); len(all) > 0 {
		return all
	}
	return present(run, []result.Subject{result.Short, result.Tuned}, figures...)
}
