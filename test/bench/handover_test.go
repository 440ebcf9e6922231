//go:build linux

package bench

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var planned = flag.Int("planned", 0, "how many planned handovers of each build TestHandover times; 0: 500, or 20 with -short")

// peerHandovers is how many handovers of client-go's elector TestHandover times at least, of each of its timings: enough for a p99, or
// with -short for a median that one lucky poll does not move. peersAtOnce is in how many elections of each: one hands over every 5 s.
func peerHandovers() int { return samples(0, 100, 20) }
func peersAtOnce() int   { return samples(0, 5, 10) }

// traceEvery is how many handovers of a build there are to one whose parts are measured, as that one's proxies delay it a little.
const traceEvery = 3

// samples returns how many samples to take: as many as are given, else as the form of the run says.
func samples(given, full, short int) int {
	switch {
	case given > 0:
		return given
	case testing.Short():
		return short
	}
	return full
}

// clientGo returns the timings of client-go's elector that are measured.
func clientGo() map[result.Subject]harness.PeerOptions {
	return map[result.Subject]harness.PeerOptions{
		result.ClientGo: {LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true},
		result.Tuned:    {LeaseDuration: 5 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: time.Second, ReleaseOnCancel: true},
	}
}

// TestHandover times planned handovers between three replicas, from SIGTERM of the leader to the next replica's signal: of each build
// in turn, with a command that ends at once; the floor after each; and of client-go's elector, in several elections beside them. The
// parts are those of one more election, whose replicas reach the API server by proxies that note when what passes.
func TestHandover(t *testing.T) {
	cluster := harness.Start(t)
	starts := &sync.Mutex{} // nobody starts a process while a handover of ours is timed
	theirs := peersHandOver(t, cluster, starts)

	var ours []*relay
	for _, b := range builds(t) {
		ours = append(ours, newRelay(t, cluster, b, false))
	}
	traced := newRelay(t, cluster, builds(t)[0], true)
	floor := newFloor(t, cluster)
	var floors []time.Duration
	for i := range samples(*planned, 500, 20) {
		for _, r := range ours {
			r.handOver(t, starts)
		}
		if i%traceEvery == 0 {
			traced.handOver(t, starts)
		}
		starts.Lock()
		floors = append(floors, floor.measure(t))
		starts.Unlock()
	}
	theirs.end(t)

	for _, r := range ours {
		record(t, result.Series{Figure: "handover/total", Subject: r.subject, Unit: "ms", Values: milliseconds(r.took)})
	}
	for subject, took := range theirs.took {
		record(t, result.Series{Figure: "handover/total", Subject: subject, Unit: "ms", Values: milliseconds(took)})
	}
	record(t, result.Series{Figure: "handover/floor", Subject: result.Floor, Unit: "ms", Values: milliseconds(floors)})
	traced.recordParts(t)
}

// relay is three replicas that hand over to each other, again and again.
type relay struct {
	build
	election *harness.Election
	replicas []*harness.Sidecar
	proxies  map[*harness.Sidecar]*harness.Proxy // where the parts are measured
	took     []time.Duration
	parts    []parts
}

func newRelay(t *testing.T, cluster *harness.Cluster, b build, traced bool) *relay {
	t.Helper()
	r := &relay{build: b, election: harness.NewElection(t, cluster, leaseDuration), proxies: map[*harness.Sidecar]*harness.Proxy{}}
	r.election.ShipFree(t)
	for i := range 3 {
		s := r.election.Prepare(t, fmt.Sprintf("web-%d", i))
		s.Binary = b.path
		s.Dir = harness.NewVolume(t).Dir // in memory, as in the manifests: on a disk, its writes would wait for etcd's, and etcd's for them
		// Of two flags the last counts: the log level is the default, not the tests' own.
		s.Args = append(s.Args, "--signal-dir", s.Dir, "--log-level", "info", "--", "sleep", "1000000")
		if traced {
			line := cluster.Proxy(t)
			line.Trace()
			r.proxies[s], s.Kubeconfig = line, r.election.Access.Kubeconfig(t, line.Host())
		}
		s.Start(t, r.election)
		r.replicas = append(r.replicas, s)
	}
	harness.AwaitLeader(t, leaseDuration+slack, r.replicas...)
	return r
}

// handOver ends the leader, times the next, and starts the old one again.
func (r *relay) handOver(t *testing.T, starts *sync.Mutex) {
	t.Helper()
	leader := harness.AwaitLeader(t, leaseDuration+slack, r.replicas...)
	r.know(t, leader)
	time.Sleep(100 * time.Millisecond) // the command runs by then
	starts.Lock()
	defer starts.Unlock()
	next, dirs := map[string]*harness.Sidecar{}, []string(nil)
	for _, s := range harness.Others(r.replicas, leader) {
		next[s.Dir], dirs = s, append(dirs, s.Dir)
	}
	files := watchFiles(t, dirs...)
	defer func() { _ = files.Close() }()
	for _, line := range r.proxies {
		line.Passages()
	}
	start := time.Now()
	if err := leader.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	dir, at := awaitFile(t, files)
	r.took = append(r.took, at.Sub(start))
	leader.AwaitExit(t, slack, 0)
	if len(r.proxies) > 0 {
		if p, ok := split(start, at, r.proxies[leader].Passages(), r.proxies[next[dir]].Passages()); ok {
			r.parts = append(r.parts, p)
		}
	}
	leader.Start(t, r.election)
	r.know(t, next[dir])
}

// know waits until all know the leader.
func (r *relay) know(t *testing.T, leader *harness.Sidecar) {
	t.Helper()
	harness.Eventually(t, slack, "all know the leader", func() bool {
		return !slices.ContainsFunc(r.replicas, func(s *harness.Sidecar) bool { return s.State().Leader != leader.Pod })
	})
}

// awaitFile waits for a leader file, and returns the directory that it came to.
func awaitFile(t *testing.T, files *fsnotify.Watcher) (dir string, at time.Time) {
	t.Helper()
	late := time.After(2*leaseDuration + slack)
	for {
		select {
		case event := <-files.Events:
			if filepath.Base(event.Name) == leadership.LeaderFile && event.Has(fsnotify.Create) {
				return filepath.Dir(event.Name), time.Now()
			}
		case <-late:
			t.Fatal("nobody took over")
		}
	}
}

// recordParts records the parts of all handovers whose parts are clear.
func (r *relay) recordParts(t *testing.T) {
	t.Helper()
	if least := samples(0, (len(r.took)+1)/2, 1); len(r.parts) < least { // of the few of the short form, chance may make most unclear
		t.Fatalf("the parts of %d of %d handovers are clear, want %d or more", len(r.parts), len(r.took), least)
	}
	all, sum := map[string][]time.Duration{}, 0.0
	for _, p := range r.parts {
		for name, d := range p.figures() {
			all[name] = append(all[name], d)
		}
	}
	note := fmt.Sprintf("replicas that reach the API server by a proxy, in which a handover takes %.1f ms (p50)", milliseconds([]time.Duration{harness.Rank(r.took, .5)})[0])
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := result.Series{Figure: "handover/" + name, Subject: r.subject, Unit: "ms", Values: milliseconds(all[name]), Note: note}
		sum += s.Rank(.5)
		record(t, s)
	}
	t.Logf("the medians of the parts sum to %.1f ms; %s; %d of %d are clear", sum, note, len(r.parts), len(r.took))
}

// peerRelays are elections of client-go's elector that hand over again and again, until they are ended.
type peerRelays struct {
	running sync.WaitGroup
	ended   chan struct{}

	mu   sync.Mutex
	took map[result.Subject][]time.Duration
}

// peersHandOver starts them.
func peersHandOver(t *testing.T, cluster *harness.Cluster, starts *sync.Mutex) *peerRelays {
	t.Helper()
	r := &peerRelays{ended: make(chan struct{}), took: map[result.Subject][]time.Duration{}}
	for subject, options := range clientGo() {
		for range peersAtOnce() {
			e := harness.NewElection(t, cluster, options.LeaseDuration)
			e.Ship(t)
			var peers []*harness.Peer
			for i := range 3 {
				peers = append(peers, e.StartPeer(t, fmt.Sprintf("peer-%d", i), options))
			}
			r.running.Go(func() {
				for peerHandsOver(t, peers, options, starts, r.ended, func(d time.Duration) {
					r.mu.Lock()
					defer r.mu.Unlock()
					r.took[subject] = append(r.took[subject], d)
				}) {
				}
			})
		}
	}
	return r
}

// least returns how many handovers the timing has that has the fewest.
func (r *peerRelays) least() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	least := peerHandovers()
	for subject := range clientGo() {
		least = min(least, len(r.took[subject]))
	}
	return least
}

// end ends them once they have handed over often enough.
func (r *peerRelays) end(t *testing.T) {
	t.Helper()
	if !harness.Within(2*time.Minute, 50*time.Millisecond, func() bool { return r.least() >= peerHandovers() }) {
		t.Errorf("client-go's elector has handed over %d times, want %d or more of each timing", r.least(), peerHandovers())
	}
	close(r.ended)
	r.running.Wait()
}

// peerHandsOver ends the leader at a random phase of the others' polling, times the next, and starts the old one again. It returns
// false where ended is closed.
func peerHandsOver(t *testing.T, peers []*harness.Peer, o harness.PeerOptions, starts *sync.Mutex, ended <-chan struct{}, took func(time.Duration)) bool {
	t.Helper()
	leader, _ := awaitPeer(t, peers, o.LeaseDuration)
	select {
	case <-ended:
		return false
	case <-time.After(o.RetryPeriod + rand.N(2*o.RetryPeriod)): // the others have seen it lead, and wait
	}
	start := bootclock.System{}.Now()
	if err := leader.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
		return false
	}
	_, at := awaitPeer(t, slices.DeleteFunc(slices.Clone(peers), func(p *harness.Peer) bool { return p == leader }), o.LeaseDuration)
	took(at.Sub(start))
	<-leader.Exited()
	starts.Lock()
	defer starts.Unlock()
	leader.Start(t)
	time.Sleep(50 * time.Millisecond) // it connects
	return true
}

// awaitPeer waits until one of the peers leads, and returns it and when its work was asked to start.
func awaitPeer(t *testing.T, peers []*harness.Peer, duration time.Duration) (leader *harness.Peer, at bootclock.Instant) {
	t.Helper()
	harness.Eventually(t, 2*duration+slack, "one of client-go's leads", func() bool {
		return slices.ContainsFunc(peers, func(p *harness.Peer) bool {
			since, leads := p.StartedAt()
			if leads {
				leader, at = p, since
			}
			return leads
		})
	})
	return leader, at
}
