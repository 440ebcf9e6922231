package page

import (
	"slices"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// sweep writes a row for each subject of each figure, and a column for each place of the sweep.
func sweep(c *columns, s catalog.Section, run result.Run) {
	var all []float64
	through := ""
	for _, f := range s.Figures {
		through = f.At
		for _, at := range run.Places(f.ID) {
			if !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	slices.Sort(all)
	cells := []string{"what", "who"}
	for _, at := range all {
		cells = append(cells, counted(at, through))
	}
	c.head(append(cells, "n", "beside client-go, at the last place of both", "target")...)
	for _, f := range s.Figures {
		sweepRows(c, f, all, run)
	}
}

func sweepRows(c *columns, f catalog.Figure, all []float64, run result.Run) {
	ours, _ := f.Pair()
	for _, who := range result.Subjects {
		cells := []string{place{f, 0}.name(), string(who)}
		n := 0
		for _, at := range all {
			s, ok := run.Find(f.ID, who, at)
			if !ok {
				cells = append(cells, none)
				continue
			}
			cells, n = append(cells, spread(s)), max(n, s.Count())
		}
		wanted := slices.Contains(f.Subjects(), who) && who != result.Before
		switch {
		case n == 0 && !wanted:
			continue
		case n == 0:
			cells = append(cells, notMeasured)
		default:
			cells = append(cells, number(float64(n)))
		}
		ratio, target := none, none
		if who == ours {
			ratio, target = lastRatio(f, all, run), worst(f, all, run)
		}
		c.row(append(cells, ratio, target)...)
	}
}

// lastRatio compares the two electors at the greatest place at which both were measured.
func lastRatio(f catalog.Figure, all []float64, run result.Run) string {
	for _, at := range slices.Backward(all) {
		if ratio := (place{f, at}).ratio(run); ratio != none {
			return ratio
		}
	}
	return none
}

// worst says whether the targets are met at all places.
func worst(f catalog.Figure, all []float64, run result.Run) string {
	says := place{f, 0}.targets(run)
	for _, at := range all {
		one := place{f, at}
		if _, ok := run.Find(f.ID, firstOf(f.Pair()), at); !ok {
			continue
		}
		says = one.targets(run)
		if one.missed(run) {
			return says
		}
	}
	return says
}

func firstOf(a, _ result.Subject) result.Subject { return a }
