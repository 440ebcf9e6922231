package plot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// points is how many points a curve has at most.
const points = 100

// handovers draws which share of the planned handovers takes how long.
func handovers(run result.Run) svg.Picture {
	const title = "Planned handovers: the share that takes at most so long"
	var all []result.Series
	low, high := 0.0, 0.0
	for _, figure := range []string{"handover/floor", "handover/total"} {
		for _, who := range result.Subjects {
			if s, ok := run.Find(figure, who, 0); ok {
				all = append(all, s)
				if least := max(s.Rank(0), .1); low == 0 || least < low {
					low = least
				}
				high = max(high, s.Rank(1))
			}
		}
	}
	p := svg.Picture{Name: "handover", Title: title}
	if len(all) == 0 {
		return p
	}
	slices.SortFunc(all, func(a, b result.Series) int { return cmp.Compare(a.Rank(.5), b.Rank(.5)) })
	var says []string
	for _, s := range all {
		says = append(says, fmt.Sprintf("%s: half within %s, 99 of 100 within %s, all within %s", s.Subject, milliseconds(three(s.Rank(.5))),
			milliseconds(three(s.Rank(.99))), milliseconds(three(s.Rank(1)))))
	}
	p.Height, p.Desc = 340, "Curves over a logarithmic axis of time. "+strings.Join(says, "; ")+"."
	p.Draw = func(c *svg.Canvas) {
		const left, right, top, bottom = 56.0, 520.0, 72.0, 292.0
		heading(c, title, "From SIGTERM until the next replica says that it leads. The axis of time is logarithmic.")
		x, ticks := logarithmic(low, max(high, 2*low), left, right)
		y := scale{low: 0, high: 1, from: bottom, to: top}
		for _, share := range []float64{0, .25, .5, .75, 1} {
			c.Line("grid", left, y.at(share), right, y.at(share))
			c.Text(left-8, y.at(share)+4, "x muted end", fmt.Sprintf("%g %%", 100*share))
		}
		for _, tick := range ticks {
			c.Line("grid", x.at(tick), top, x.at(tick), bottom+4)
			if last := ticks[len(ticks)-1]; len(ticks) <= 8 || leading(tick) == 1 || leading(tick) == 5 && len(ticks) <= 14 || tick == last {
				c.Text(x.at(tick), bottom+19, "x muted mid", milliseconds(tick))
			}
		}
		for i, s := range all {
			curve(c, x, y, s)
			l, at := looks[s.Subject], top+8+44*float64(i)
			c.Line(l.line(), right+24, at-4, right+50, at-4)
			c.Text(right+58, at, "b", string(s.Subject))
			c.Text(right+58, at+16, "s muted", fmt.Sprintf("p50 %s, p99 %s", milliseconds(three(s.Rank(.5))), milliseconds(three(s.Rank(.99)))))
		}
	}
	return p
}

// curve draws the distribution of a series.
func curve(c *svg.Canvas, x, y scale, s result.Series) {
	n := min(points, len(s.Values))
	line := []float64{x.at(s.Rank(0)), y.at(0)}
	for i := range n {
		share := float64(i+1) / float64(n)
		line = append(line, x.at(s.Rank(share)), y.at(share))
	}
	c.Line(looks[s.Subject].line(), line...)
}

// leading returns the first digit of a tick.
func leading(v float64) int {
	for v < 1 {
		v *= 10
	}
	for v >= 9.99 {
		v /= 10
	}
	return int(v + .01)
}

// three keeps three significant digits.
func three(v float64) float64 {
	var kept float64
	if _, err := fmt.Sscan(fmt.Sprintf("%.3g", v), &kept); err != nil {
		return v
	}
	return kept
}
