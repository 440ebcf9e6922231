//go:build linux

package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// bill is what one Lease has cost with one number of candidates of one kind. Named is empty for client-go's.
type bill struct {
	n                          int
	idle, named, drawn, killed *costs
}

// logTables prints the tables of docs/explanation/scale.md, "One Lease, many candidates", as they stand there. Ours and theirs are in
// the same order.
func logTables(t *testing.T, ours, theirs []bill) {
	t.Helper()
	var rest, handover, kill strings.Builder
	for i, b := range ours {
		p := theirs[i]
		fmt.Fprintf(&rest, "| %d | %s | %s | %s | %s | %s |\n", b.n, b.idle.perSecond(requestsOf), b.idle.perSecond(eventsOf), b.idle.load(),
			p.idle.perSecond(requestsOf), p.idle.load())
		fmt.Fprintf(&handover, "| %d | %s; %s; %s; %s | %s; %s; %s; %s | %s; %s; %s; %s |\n", b.n,
			b.named.leaderAfter(), b.named.mean(requestsOf), b.named.mean(conflictsOf), b.named.processor(),
			b.drawn.leaderAfter(), b.drawn.mean(requestsOf), b.drawn.conflicts(), b.drawn.processor(),
			p.drawn.leaderAfter(), p.drawn.mean(requestsOf), p.drawn.mean(conflictsOf), p.drawn.processor())
		half, most := b.killed.reached.medians()
		fmt.Fprintf(&kill, "| %d | %s | %s | %s | %s; %s | %s | %s; %s; %s |\n", b.n, b.killed.leaderAfter(), b.killed.mean(requestsOf),
			b.killed.conflicts(), shown(half), shown(most), b.killed.processor(), p.killed.leaderAfter(), p.killed.mean(requestsOf), p.killed.processor())
	}
	t.Logf("at rest:\n%s\na planned handover:\n%s\nthe leader is killed:\n%s", &rest, &handover, &kill)
}

func requestsOf(r costReading) float64  { return r.requests }
func eventsOf(r costReading) float64    { return r.events }
func conflictsOf(r costReading) float64 { return r.conflicts }

func (c *costs) average(of func(costReading) float64) float64 {
	sum := 0.0
	for _, r := range c.all {
		sum += of(r)
	}
	return sum / float64(max(len(c.all), 1))
}

// mean gives the mean for each event.
func (c *costs) mean(of func(costReading) float64) string { return figure(c.average(of)) }

func (c *costs) perSecond(of func(costReading) float64) string {
	return figure(c.average(func(r costReading) float64 { return of(r) / r.span.Seconds() }))
}

// load gives the API server's use of a core in per cent.
func (c *costs) load() string {
	return figure(c.average(func(r costReading) float64 { return 100 * r.api.Seconds() / r.span.Seconds() }))
}

func (c *costs) processor() string {
	return figure(c.average(func(r costReading) float64 { return 1000 * r.api.Seconds() })) + " ms"
}

// conflicts gives their mean, and the largest number.
func (c *costs) conflicts() string {
	most := 0.0
	for _, r := range c.all {
		most = max(most, r.conflicts)
	}
	return fmt.Sprintf("%s (%s)", c.mean(conflictsOf), figure(most))
}

// leaderAfter gives the median time until the next leader.
func (c *costs) leaderAfter() string { return shown(median(c.took)) }

func shown(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return figure(float64(d)/float64(time.Millisecond)) + " ms"
}

// figure gives two digits at the least, and thousands as the page has them.
func figure(x float64) string {
	switch {
	case x < 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	case x < 999.5:
		return fmt.Sprintf("%.0f", x)
	}
	whole := int(x + 0.5)
	return fmt.Sprintf("%d,%03d", whole/1000, whole%1000)
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
