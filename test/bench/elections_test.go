//go:build linux

package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	electionSizes = flag.String("elections", "", "how many elections of three candidates there are, at last and on the way (default 100,500,1000,2000; 30 with -short)")
	peerSizes     = flag.String("peer-elections", "", "the same of client-go's elector, 0 for none (default 500; 30 with -short)")
	crowded       = flag.Int("crowded-handovers", 0, "how many planned handovers are timed at each number of elections (default 100; 24 with -short)")
	crowdDuration = flag.Duration("election-duration", 0, "the lease duration of the sidecar's candidates in place of 15s, for more writes by as many elections")
	window        = flag.Duration("window", 0, "how long the elections are watched while nothing changes, in whole renew intervals (default 15s; 6s with -short)")
)

// replicas is how many candidates each election has.
const replicas = 3

// TestElections measures what many elections cost one API server and one etcd that waits for its disk: the requests, the processor
// time and the memory of each, the writes, and how long renewals and planned handovers take meanwhile. All candidates are in this
// process, each with connections and a token of its own, and take part of the same processors: their share is a figure, too.
//
// The number rises in steps, without a restart, and a line through the figures of all steps gives what each thousand elections costs.
func TestElections(t *testing.T) {
	cluster := ownCluster(t)
	if !testing.Short() {
		cluster.Durable(t)
	}
	keys := newTokens(t, cluster)
	measureElections(t, cluster, keys, clientGoKind, numbers(t, otherwise(*peerSizes, "500", "30")))
	ours := sidecarKind
	if *crowdDuration != 0 {
		ours.timing = timing{duration: *crowdDuration}
	}
	measureElections(t, cluster, keys, ours, numbers(t, otherwise(*electionSizes, "100,500,1000,2000", "30")))
}

func measureElections(t *testing.T, cluster *harness.Cluster, keys *tokens, k kind, steps []int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &society{t: t, cluster: cluster, keys: keys, kind: k, count: &traffic{}, lost: &losses{}, ctx: ctx, places: make(gate, atOnce)}
	defer s.end(cancel)
	line := &slopes{}
	for _, n := range steps {
		if n == 0 {
			continue // asked for none
		}
		began := time.Now()
		s.grow(n)
		t.Logf("%d elections of %s after %v: %d connections, %v", n, k.subject, time.Since(began).Round(100*time.Millisecond), s.count.open.Load(), s.lost)
		time.Sleep(otherwise(0, 3*time.Second, 500*time.Millisecond)) // what a start has left to do
		s.rest(line)
		s.handovers()
		t.Logf("%d elections of %s: %d requests without a good answer so far; %v", n, k.subject, s.count.failures.Load(), s.lost)
	}
	if len(steps) > 1 {
		line.record(t, k.subject)
	}
}

// society is many elections.
type society struct {
	t       *testing.T
	cluster *harness.Cluster
	keys    *tokens
	kind    kind
	count   *traffic
	lost    *losses
	ctx     context.Context // its own lifetime
	places  gate
	all     []*electorate
}

// grow adds elections until there are n, and waits until each has a leader.
func (s *society) grow(n int) {
	s.t.Helper()
	from, began := len(s.all), time.Now()
	places, err := s.keys.provide(s.ctx, map[result.Subject]string{result.Sidecar: "ours", result.ClientGo: "theirs"}[s.kind.subject], from, n-from)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d elections more are prepared after %v; %v", len(places), time.Since(began).Round(100*time.Millisecond), s.lost)
	for _, p := range places {
		e := newElectorate(s.ctx, s.kind, p.Namespace, p.Lease, p.Workload, s.count, s.lost)
		s.all = append(s.all, e)
		for _, access := range p.accesses {
			if err := e.join(access, s.places.enter()); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.t.Logf("their candidates are started after %v; %v", time.Since(began).Round(100*time.Millisecond), s.lost)
	for _, e := range s.all[from:] {
		if _, err := e.await(time.Minute); err != nil {
			s.t.Fatalf("%v; %d requests without a good answer; %v", err, s.count.failures.Load(), s.lost)
		}
	}
}

// end ends all candidates, as a SIGTERM to all pods at once does.
func (s *society) end(cancel context.CancelFunc) {
	for _, e := range s.all {
		for _, c := range e.members {
			c.asked.Store(true)
		}
	}
	cancel()
	for _, e := range s.all {
		e.running.Wait()
	}
}

// rest measures while nothing changes.
func (s *society) rest(line *slopes) {
	t, n := s.t, float64(len(s.all))
	apiBefore, etcdBefore := s.cluster.APIMetrics(t), s.cluster.EtcdMetrics(t)
	s.count.sample(true)
	from, events, began := s.use(), s.count.events.Load(), time.Now()
	time.Sleep(s.kind.timing.whole(otherwise(*window, 15*time.Second, 6*time.Second)))
	to, took := s.use(), time.Since(began).Seconds()
	renewals := s.count.sample(false)
	delivered := s.count.events.Load() - events
	api, etcd := s.cluster.APIMetrics(t), s.cluster.EtcdMetrics(t)
	put := func(name, unit string, value float64) {
		line.add(name, unit, n, value)
		record(t, result.Series{Figure: "scale/elections/" + name, Subject: s.kind.subject, Unit: unit, At: n, Values: []float64{value}})
	}
	if to.requests == from.requests || len(renewals) == 0 {
		t.Fatalf("%d elections of %s: %d requests and %d renewals in %.1f s: nothing was measured", len(s.all), s.kind.subject, to.requests-from.requests, len(renewals), took)
	}
	cpu := func(a, b usage) float64 { return 100 * b.since(a).cpu.Seconds() / took }
	put("requests", "1/s", float64(to.requests-from.requests)/took)
	put("events", "1/s", float64(delivered)/took)
	put("api-cpu", "% of a core", cpu(from.api, to.api))
	put("etcd-cpu", "% of a core", cpu(from.etcd, to.etcd))
	put("candidates-cpu", "% of a core", cpu(from.own, to.own))
	put("api-rss", "MiB", to.api.rss)
	put("etcd-rss", "MiB", to.etcd.rss)
	put("candidates-rss", "MiB", to.own.rss)
	put("etcd-writes", "1/s", (etcd.Sum("etcd_mvcc_put_total")-etcdBefore.Sum("etcd_mvcc_put_total"))/took)
	put("watches", "", api.Sum("apiserver_longrunning_requests", `verb="WATCH"`, `resource="leases"`))
	put("connections", "", float64(s.count.open.Load()))
	record(t, result.Series{
		Figure: "scale/elections/renewal", Subject: s.kind.subject, Unit: "ms", At: n, Values: milliseconds(renewals),
		Note: "of PUTs in the time at rest, as the candidates see them",
	})
	s.explain(took, apiBefore, api, etcdBefore, etcd)
	if requests := s.count.requests.Load(); requests > 0 {
		t.Logf("audit log: %.0f bytes for each request, watches at their start and end", float64(s.cluster.Audit.Size(t))/float64(requests))
	}
}

// explain logs what belongs to the figures, and is no figure of its own.
func (s *society) explain(took float64, apiBefore, api, etcdBefore, etcd harness.Metrics) {
	between := func(a, b harness.Metrics, name string, labels ...string) float64 {
		return b.Sum(name, labels...) - a.Sum(name, labels...)
	}
	mean := func(a, b harness.Metrics, name string, labels ...string) float64 {
		return 1000 * between(a, b, name+"_sum", labels...) / max(1, between(a, b, name+"_count", labels...))
	}
	const flow = "apiserver_flowcontrol_"
	low := `priority_level="workload-low"`
	s.t.Logf("API server: %.0f goroutines, heap in use %.0f MiB, stacks %.0f MiB; priority level workload-low: %.0f requests/s dispatched, %.1f seats in use on average, "+
		"%.0f rejected, wait %.2f ms on average", api.Sum("go_goroutines"), api.Sum("go_memstats_heap_inuse_bytes")/(1<<20), api.Sum("go_memstats_stack_inuse_bytes")/(1<<20),
		between(apiBefore, api, flow+"dispatched_requests_total", low)/took, between(apiBefore, api, flow+"request_execution_seconds_sum", low, `type="regular"`)/took,
		between(apiBefore, api, flow+"rejected_requests_total", low), mean(apiBefore, api, flow+"request_wait_duration_seconds", low))
	puts := between(etcdBefore, etcd, "etcd_mvcc_put_total")
	s.t.Logf("etcd: %.2f ms for each of %.0f fsyncs/s of the log, %.2f ms for each of %.0f commits/s; database %.1f MiB, %.0f bytes more for each write; "+
		"%.0f bytes/s written to clients", mean(etcdBefore, etcd, "etcd_disk_wal_fsync_duration_seconds"), between(etcdBefore, etcd, "etcd_disk_wal_fsync_duration_seconds_count")/took,
		mean(etcdBefore, etcd, "etcd_disk_backend_commit_duration_seconds"), between(etcdBefore, etcd, "etcd_disk_backend_commit_duration_seconds_count")/took,
		etcd.Sum("etcd_mvcc_db_total_size_in_bytes")/(1<<20), between(etcdBefore, etcd, "etcd_mvcc_db_total_size_in_bytes")/max(1, puts),
		between(etcdBefore, etcd, "etcd_network_client_grpc_sent_bytes_total")/took)
}

// used is what the processes have used.
type used struct {
	api, etcd, own usage
	requests       int64
}

func (s *society) use() used {
	return used{
		usageNow(s.t, s.cluster.APIServer().PID()), usageNow(s.t, s.cluster.Etcd().PID()), usageNow(s.t, os.Getpid()), s.count.requests.Load(),
	}
}

// handovers times planned handovers of elections one after another, some at once, and starts a new candidate for each that has gone.
func (s *society) handovers() {
	t := s.t
	var mu sync.Mutex
	var took []time.Duration
	wanted := otherwise(*crowded, 100, 24)
	if err := each(wanted, func(i int) error {
		time.Sleep(time.Duration(i%atOnce) * 100 * time.Millisecond) // not all at once
		e := s.all[(i*len(s.all))/wanted]
		if wanted > len(s.all) {
			return fmt.Errorf("%d handovers of %d elections: each election hands over once at most", wanted, len(s.all))
		}
		d, old, err := e.remove(false, time.Minute)
		if err != nil {
			return err
		}
		mu.Lock()
		took = append(took, d)
		mu.Unlock()
		return e.replace(old, func() {})
	}); err != nil {
		t.Fatal(err)
	}
	record(t, result.Series{
		Figure: "scale/elections/handover", Subject: s.kind.subject, Unit: "ms", At: float64(len(s.all)), Values: milliseconds(took),
	})
}

// slopes draws a straight line through each figure over the number of elections.
type slopes struct {
	names []string
	units map[string]string
	x, y  map[string][]float64
}

func (l *slopes) add(name, unit string, x, y float64) {
	if l.units == nil {
		l.units, l.x, l.y = map[string]string{}, map[string][]float64{}, map[string][]float64{}
	}
	if _, known := l.units[name]; !known {
		l.names = append(l.names, name)
	}
	l.units[name] = unit
	l.x[name], l.y[name] = append(l.x[name], x), append(l.y[name], y)
}

// leastSquares returns the straight line that is nearest to the points.
func leastSquares(x, y []float64) (slope, base float64) {
	n, sx, sy, sxx, sxy := float64(len(x)), 0.0, 0.0, 0.0, 0.0
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return slope, (sy - slope*sx) / n
}

// record writes what a thousand elections cost, and how many would fill the processors of this machine.
func (l *slopes) record(t *testing.T, subject result.Subject) {
	t.Helper()
	for _, name := range l.names {
		slope, base := leastSquares(l.x[name], l.y[name])
		record(t, result.Series{
			Figure: "scale/elections/slope/" + name, Subject: subject, Unit: l.units[name], Values: []float64{1000 * slope},
			Note: fmt.Sprintf("for each 1,000 elections, by least squares; %.3g without any", base),
		})
	}
}

// TestLeastSquares: points on a line give that line.
func TestLeastSquares(t *testing.T) {
	slope, base := leastSquares([]float64{100, 500, 2000}, []float64{7, 15, 45})
	if slope < 0.0199 || slope > 0.0201 || base < 4.99 || base > 5.01 {
		t.Errorf("y = %g·x + %g, want 0.02·x + 5", slope, base)
	}
}
