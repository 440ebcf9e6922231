package plot

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// parts draws where the time of a planned handover goes, part after part.
func parts(run result.Run) svg.Picture {
	const title = "Where the time of a planned handover goes"
	p := svg.Picture{Name: "handover-parts", Title: title}
	type part struct {
		name, class string
		begin, took float64
	}
	var all []part
	end := 0.0
	for _, section := range catalog.All() {
		for _, f := range section.Figures {
			name, isPart := strings.CutPrefix(f.Title, "part: ")
			if s, ok := run.Find(f.ID, result.Sidecar, 0); ok && isPart {
				all = append(all, part{name, "ours", end, s.Rank(.5)})
				end += s.Rank(.5)
			}
		}
	}
	total, measured := run.Find("handover/total", result.Sidecar, 0)
	if len(all) == 0 || !measured {
		return p
	}
	all = append(all, part{"the whole", "ours", 0, total.Rank(.5)})
	if floor, ok := run.Find("handover/floor", result.Floor, 0); ok {
		all = append(all, part{"the floor", "least", 0, floor.Rank(.5)})
	}
	var says []string
	high := end
	for _, one := range all {
		says = append(says, fmt.Sprintf("%s %s ms", one.name, value(one.took)))
		high = max(high, one.took)
	}
	const top, step = 72.0, 26.0
	p.Height = int(top + step*float64(len(all)) + 40)
	p.Desc = "Bars one after another, by their medians: " + strings.Join(says, ", ") + "."
	p.Draw = func(c *svg.Canvas) {
		const left, right = 130.0, 690.0
		bottom := top + step*float64(len(all))
		heading(c, title, "Medians of the parts in their order, then of whole handovers, then the floor: two writes and an event, by hand.")
		x, ticks := linear(high, left, right, 8)
		for _, tick := range ticks {
			c.Line("grid", x.at(tick), top-6, x.at(tick), bottom+4)
			c.Text(x.at(tick), bottom+19, "x muted mid", milliseconds(tick))
		}
		for i, one := range all {
			y := top + step*float64(i)
			weight := ""
			if one.begin == 0 && i > 0 {
				weight = "b "
			}
			c.Text(left-10, y+14, weight+"end", one.name)
			c.Rect(x.at(one.begin), y+2, max(1.5, x.at(one.begin+one.took)-x.at(one.begin)), step-9, 2, one.class)
			c.Text(x.at(one.begin+one.took)+6, y+14, "s halo", value(one.took)+" ms")
		}
	}
	return p
}
