//go:build linux

package bench

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var kills = flag.Int("kills", 0, "how many leaders of each kind TestTakeover kills; 0: 60, or 12 with -short")

// killsAtOnce is how many elections of a kind there are.
const killsAtOnce = 12

// takeovers are what was measured of one kind.
type takeovers struct {
	mu               sync.Mutex
	left             int             // to measure yet
	total, pastLease []time.Duration // from the kill, and past the Lease's expiry
}

// next reports whether one more is to be measured.
func (k *takeovers) next() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left--
	return k.left >= 0
}

func (k *takeovers) add(killed, leads, expires bootclock.Instant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total, k.pastLease = append(k.total, leads.Sub(killed)), append(k.pastLease, leads.Sub(expires))
}

// TestTakeover kills leaders, and times the next: since the kill, and past the Lease's expiry, which is one lease duration after its
// last renewal came to a watch of this test. Many elections of each kind run at the same time, of two candidates each.
func TestTakeover(t *testing.T) {
	cluster := harness.Start(t)
	all := map[result.Subject]*takeovers{}
	files := seeLeaderFiles(t)
	var running sync.WaitGroup
	campaign := func(subject result.Subject, duration time.Duration, prepare func(*harness.Election) func(*takeovers, *expiry)) {
		k := &takeovers{left: samples(*kills, 60, 12)}
		if testing.Short() && duration < leaseDuration {
			k.left = min(k.left, 4) // no bound is of these
		}
		all[subject] = k
		for range min(killsAtOnce, k.left) {
			e := harness.NewElection(t, cluster, duration)
			once, seen := prepare(e), watchExpiry(t, e)
			running.Go(func() {
				for k.next() {
					once(k, seen)
				}
			})
		}
	}
	for subject, duration := range map[result.Subject]time.Duration{result.Sidecar: leaseDuration, result.Short: 5 * time.Second} {
		campaign(subject, duration, func(e *harness.Election) func(*takeovers, *expiry) { return sidecarsTakeOver(t, e, files) })
	}
	for subject, options := range clientGo() {
		campaign(subject, options.LeaseDuration, func(e *harness.Election) func(*takeovers, *expiry) { return peersTakeOver(t, e, options) })
	}
	running.Wait()
	for subject, k := range all {
		if len(k.total) == 0 {
			t.Errorf("%s: no takeover was measured", subject)
			continue
		}
		record(t, result.Series{Figure: "takeover/expiry", Subject: subject, Unit: "s", Values: seconds(k.total)})
		record(t, result.Series{Figure: "takeover/past-expiry", Subject: subject, Unit: "ms", Values: milliseconds(k.pastLease)})
	}
}

func seconds(all []time.Duration) []float64 {
	values := make([]float64, len(all))
	for i, d := range all {
		values[i] = d.Seconds()
	}
	return values
}

// sidecarsTakeOver starts two sidecars, and returns what kills the leader once.
func sidecarsTakeOver(t *testing.T, e *harness.Election, files *leaderFiles) func(*takeovers, *expiry) {
	t.Helper()
	e.ShipFree(t)
	var replicas []*harness.Sidecar
	for i := range 2 {
		s := e.Prepare(t, fmt.Sprintf("web-%d", i))
		s.Args = append(s.Args, "--log-level", "info")
		files.follow(t, s.Dir)
		s.Start(t, e)
		replicas = append(replicas, s)
	}
	return func(k *takeovers, seen *expiry) {
		leader := harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
		other := harness.Others(replicas, leader)[0]
		harness.Eventually(t, slack, "the other one knows the leader", func() bool { return other.State().Leader == leader.Pod })
		time.Sleep(rand.N(e.Duration / 5)) // any phase of its renewals
		files.forget(other.Dir)
		killed := endLeader(t, leader.Process)
		leads := files.await(t, other.Dir)
		k.add(killed, leads, seen.expires(leader.Pod+"_"+leader.UID))
		leader.Start(t, e)
	}
}

// leaderFiles sees leader files come in many directories by one inotify instance: a user may have 128 of those, and each sidecar has one.
type leaderFiles struct {
	watcher *fsnotify.Watcher
	mu      sync.Mutex
	in      map[string]chan bootclock.Instant // by directory: when the last one came
}

func seeLeaderFiles(t *testing.T) *leaderFiles {
	t.Helper()
	l := &leaderFiles{watcher: watchFiles(t), in: map[string]chan bootclock.Instant{}}
	go func() { // ends with the watcher
		for event := range l.watcher.Events {
			if now := (bootclock.System{}).Now(); filepath.Base(event.Name) == leadership.LeaderFile && event.Has(fsnotify.Create) {
				dir := filepath.Dir(event.Name)
				l.forget(dir)
				l.came(dir) <- now
			}
		}
	}()
	return l
}

// follow has a directory watched, from now on.
func (l *leaderFiles) follow(t *testing.T, dir string) {
	t.Helper()
	l.mu.Lock()
	l.in[dir] = make(chan bootclock.Instant, 1)
	l.mu.Unlock()
	if err := l.watcher.Add(dir); err != nil {
		t.Fatal(err)
	}
}

func (l *leaderFiles) came(dir string) chan bootclock.Instant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in[dir]
}

// forget forgets the file that came last to a directory.
func (l *leaderFiles) forget(dir string) {
	select {
	case <-l.came(dir):
	default:
	}
}

// await waits for a leader file, and returns when it came.
func (l *leaderFiles) await(t *testing.T, dir string) bootclock.Instant {
	t.Helper()
	select {
	case at := <-l.came(dir):
		return at
	case <-time.After(2*leaseDuration + slack):
		t.Fatal("nobody took over")
		return 0
	}
}

// peersTakeOver is the same for client-go's elector.
func peersTakeOver(t *testing.T, e *harness.Election, o harness.PeerOptions) func(*takeovers, *expiry) {
	t.Helper()
	e.Ship(t)
	var peers []*harness.Peer
	for i := range 2 {
		peers = append(peers, e.StartPeer(t, fmt.Sprintf("peer-%d", i), o))
	}
	return func(k *takeovers, seen *expiry) {
		leader, _ := awaitPeer(t, peers, o.LeaseDuration)
		time.Sleep(2*o.RetryPeriod + rand.N(2*o.RetryPeriod)) // the other one has seen it lead
		killed := endLeader(t, leader.Process)
		_, at := awaitPeer(t, slices.DeleteFunc(slices.Clone(peers), func(p *harness.Peer) bool { return p == leader }), o.LeaseDuration)
		k.add(killed, at, seen.expires(leader.Name))
		leader.Start(t)
	}
}

func endLeader(t *testing.T, p *harness.Process) bootclock.Instant {
	t.Helper()
	at := bootclock.System{}.Now()
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-p.Exited()
	return at
}

// expiry is when a Lease expires, by the writes that came to a watch.
type expiry struct {
	mu sync.Mutex
	at map[string]bootclock.Instant // by holder: one lease duration after its last write came
}

func watchExpiry(t *testing.T, e *harness.Election) *expiry {
	t.Helper()
	x := &expiry{at: map[string]bootclock.Instant{}}
	watch, err := e.Cluster.Admin.CoordinationV1().Leases(e.Namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watch.Stop)
	go func() { // ends with the watch
		for event := range watch.ResultChan() {
			if l, ok := event.Object.(*coordinationv1.Lease); ok && l.Spec.HolderIdentity != nil {
				x.mu.Lock()
				x.at[*l.Spec.HolderIdentity] = bootclock.System{}.Now().Add(e.Duration)
				x.mu.Unlock()
			}
		}
	}()
	return x
}

func (x *expiry) expires(holder string) bootclock.Instant {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at[holder]
}
