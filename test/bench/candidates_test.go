//go:build linux

package bench

import (
	"context"
	"flag"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	candidateSizes = flag.String("candidates", "", "how many candidates one Lease has, in one election after the other (default 2,10,50,100,500; 10 with -short)")
	releases       = flag.Int("releases", 0, "how many planned handovers of each size are measured (default 6; with -short 5 to a named successor, and 1)")
	expiries       = flag.Int("expiries", 0, "how many leaders of each size are killed (default 2; 1 with -short)")
)

// aftermath is how long after the next leader's first instant requests still count as the handover's: the refused takes come then.
const aftermath = 300 * time.Millisecond

// lossPause is how long a candidate of the sidecar's that has lost a race tries nothing, at the most.
const lossPause = time.Second

// TestCandidates measures what one Lease costs with few and with many candidates: at rest, at a release that names nobody, at a
// release that names a successor, and when the leader is killed. The candidates are in this process, each with connections and a
// token of its own; client-go's take turns with the sidecar's, size by size, on the same API server. It prints the tables of
// docs/explanation/scale.md.
func TestCandidates(t *testing.T) {
	cluster := ownCluster(t)
	keys := newTokens(t, cluster)
	var ours, theirs []bill
	for _, n := range numbers(t, otherwise(*candidateSizes, "2,10,50,100,500", "10")) {
		ours = append(ours, measureCandidates(t, cluster, keys, shortSidecarKind, n))
		theirs = append(theirs, measureCandidates(t, cluster, keys, tunedKind, n))
	}
	logTables(t, ours, theirs)
}

func measureCandidates(t *testing.T, cluster *harness.Cluster, keys *tokens, k kind, n int) bill {
	t.Helper()
	election := harness.NewElection(t, cluster, k.timing.duration)
	election.ShipFree(t)
	accesses := make([]*rest.Config, n)
	if err := each(n, func(i int) (err error) {
		accesses[i], err = keys.access(t.Context(), election.Namespace, election.Access.Account)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	count := &traffic{}
	e := newElectorate(ctx, k, election.Namespace, election.Lease, election.Workload, count, &losses{})
	defer e.running.Wait()
	defer cancel()
	places := make(gate, atOnce)
	for _, access := range accesses {
		if err := e.join(access, places.enter()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.await(time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // all follow the leader
	m := &meter{cluster: cluster, count: count}
	series := func(name string) *costs { return &costs{figure: "scale/500/" + name, subject: k.subject, at: n} }

	idle := series("idle")
	from := m.read(t)
	time.Sleep(3 * k.timing.renewal())
	idle.add(m.read(t).since(from), 0)
	idle.recordRates(t)

	named, drawn, killed := series("successor"), series("release"), series("expiry")
	for range otherwise(*releases, 6, 5) {
		if leader := e.leader.Load(); leader.prefer != nil {
			leader.prefer(e.following())
			named.measure(t, e, m, false)
		}
	}
	for range otherwise(*releases, 6, 1) {
		drawn.measure(t, e, m, false)
	}
	for range otherwise(*expiries, 2, 1) {
		killed.measure(t, e, m, true)
	}
	for _, c := range []*costs{drawn, named, killed} {
		c.record(t)
	}
	t.Logf("%d candidates of %s: %v", n, k.subject, e.lost)
	return bill{n, idle, named, drawn, killed}
}

// meter reads what candidates have cost so far.
type meter struct {
	cluster *harness.Cluster
	count   *traffic
}

// reading is what there was up to an instant, or in a time.
type reading struct {
	at                          time.Time
	requests, conflicts, events int64
	api                         usage
}

func (m *meter) read(t *testing.T) reading {
	t.Helper()
	return reading{
		time.Now(), m.count.requests.Load(), m.count.conflicts.Load(), m.count.events.Load(), usageNow(t, m.cluster.APIServer().PID()),
	}
}

// since returns what there was after another reading.
func (r reading) since(from reading) costReading {
	return costReading{
		span: r.at.Sub(from.at), requests: float64(r.requests - from.requests), conflicts: float64(r.conflicts - from.conflicts),
		events: float64(r.events - from.events), api: r.api.since(from.api).cpu,
	}
}

// costReading is the cost of a time.
type costReading struct {
	span                        time.Duration
	requests, conflicts, events float64
	api                         time.Duration
}

// costs are those of one kind of event, at one size.
type costs struct {
	figure  string
	subject result.Subject
	at      int
	took    []time.Duration
	all     []costReading
	reached reached
}

func (c *costs) add(r costReading, took time.Duration) {
	c.all, c.took = append(c.all, r), append(c.took, took)
}

// measure ends the leader and starts another candidate in its place, once the cost is known.
func (c *costs) measure(t *testing.T, e *electorate, m *meter, kill bool) {
	t.Helper()
	m.count.takes.begin()
	from := m.read(t)
	took, old, err := e.remove(kill, e.kind.timing.duration+slack)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(aftermath)
	c.add(m.read(t).since(from), took)
	c.reached.add(m.count.takes.end())
	reached := make(chan struct{})
	if err := e.replace(old, func() { close(reached) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-time.After(slack):
		t.Fatal("the new candidate is not answered")
	}
	if conflicts := c.all[len(c.all)-1].conflicts; conflicts > 0 {
		time.Sleep(lossPause) // else those that have lost this race would take no part in the next one
	}
	time.Sleep(200 * time.Millisecond) // the new candidate follows the leader, as all do
}

// record writes what each event has cost.
func (c *costs) record(t *testing.T) {
	t.Helper()
	if len(c.all) == 0 {
		return
	}
	c.write(t, "leader", "ms", func(i int) float64 { return float64(c.took[i]) / float64(time.Millisecond) })
	c.write(t, "requests", "", func(i int) float64 { return c.all[i].requests })
	c.write(t, "conflicts", "", func(i int) float64 { return c.all[i].conflicts })
	if c.subject != result.Tuned { // client-go's watch nothing
		c.write(t, "events", "", func(i int) float64 { return c.all[i].events })
		t.Logf("%s at %d: %v", c.figure, c.at, &c.reached)
	}
	c.write(t, "api-cpu", "ms", func(i int) float64 { return float64(c.all[i].api) / float64(time.Millisecond) })
}

// recordRates writes what a second of rest costs.
func (c *costs) recordRates(t *testing.T) {
	t.Helper()
	rate := func(of func(costReading) float64) func(int) float64 {
		return func(i int) float64 { return of(c.all[i]) / c.all[i].span.Seconds() }
	}
	c.write(t, "requests", "1/s", rate(func(r costReading) float64 { return r.requests }))
	c.write(t, "events", "1/s", rate(func(r costReading) float64 { return r.events }))
	c.write(t, "api-cpu", "% of a core", rate(func(r costReading) float64 { return 100 * r.api.Seconds() }))
}

func (c *costs) write(t *testing.T, part, unit string, value func(i int) float64) {
	t.Helper()
	s := result.Series{Figure: c.figure + "/" + part, Subject: c.subject, Unit: unit, At: float64(c.at)}
	for i := range c.all {
		s.Values = append(s.Values, value(i))
	}
	record(t, s)
}
