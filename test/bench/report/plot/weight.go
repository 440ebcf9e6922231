package plot

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// weight draws what one process costs: CPU and memory, at rest and in an outage.
func weight(run result.Run) svg.Picture {
	const title = "What one replica costs"
	p := svg.Picture{Name: "weight", Title: title}
	columns := []struct{ id, title string }{{"cpu", "CPU"}, {"working-set", "working set"}, {"private", "private memory"}}
	rows := []struct{ state, suffix, title string }{
		{"idle", "", "leader at rest"},
		{"idle", "-standby", "standby at rest"},
		{"outage", "", "former leader, in an outage"},
		{"outage", "-standby", "standby, in an outage"},
	}
	var figures, says []string
	high := map[string]float64{}
	measured := 0
	for _, row := range rows {
		seen := false
		for _, column := range columns {
			id := row.state + "/" + column.id + row.suffix
			figures = append(figures, id)
			for _, who := range []result.Subject{result.Sidecar, result.ClientGo} {
				if s, ok := run.Find(id, who, 0); ok {
					seen = true
					high[column.id] = max(high[column.id], s.Rank(.5))
					f, _ := catalog.Find(id)
					says = append(says, fmt.Sprintf("%s, %s, %s: %s %s", row.title, column.title, who, value(s.Rank(.5)), f.Unit))
				}
			}
		}
		if seen {
			rows[measured] = row
			measured++
		}
	}
	if measured == 0 {
		return p
	}
	rows = rows[:measured]
	who := present(run, []result.Subject{result.Sidecar, result.ClientGo}, figures...)
	const bar, gap, top = 15.0, 14.0, 116.0
	p.Height, p.Desc = int(top+float64(measured)*(2*bar+gap)+16), "Bars. "+strings.Join(says, "; ")+"."
	p.Draw = func(c *svg.Canvas) {
		heading(c, title, "Medians of one process. The working set is what the kubelet compares with a limit of memory.")
		legend(c, 16, 72, who)
		for i, column := range columns {
			left := 186 + 192*float64(i)
			f, _ := catalog.Find("idle/" + column.id)
			titled(c, left, top-14, column.title, f.Unit)
			x, _ := linear(high[column.id], left, left+140, 4)
			c.Line("muted-line", left, top-4, left, top+float64(measured)*(2*bar+gap)-6)
			for j, row := range rows {
				y := top + float64(j)*(2*bar+gap)
				if i == 0 {
					c.Text(left-12, y+bar+4, "s end", row.title)
				}
				for k, one := range who {
					s, ok := run.Find(row.state+"/"+column.id+row.suffix, one, 0)
					at := y + float64(k)*bar
					if !ok {
						c.Text(left+5, at+bar-3, "x muted", "not measured")
						continue
					}
					c.Rect(left, at+2, max(1, x.at(s.Rank(.5))-left), bar-4, 1, looks[one].class)
					c.Text(x.at(s.Rank(.5))+5, at+bar-3, "x halo", value(s.Rank(.5)))
				}
			}
		}
	}
	return p
}
