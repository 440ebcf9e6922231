//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The most that a candidate may ask, in requests a second, while nobody leads or can: in the end, and in the first minute,
// in which it still looks for a way out.
const (
	leaderlessBudget = 0.05
	leaderlessAtOnce = 0.7
)

// backWithin is how long it may take, after such a state, until somebody leads: what is asked seldom is noticed late.
const backWithin = time.Minute

// leaderless is a state in which nobody leads.
type leaderless struct {
	name string
	// absent ships no Lease; flags go to every replica.
	absent bool
	flags  func(t *testing.T) []string
	// begin brings it about once somebody leads, or, for one that is so from the start, does nothing; end ends it. What
	// wait says must pass then by the rules before anybody may lead.
	begin, end func(l *leaderlessRun)
	wait       time.Duration
}

// leaderlessRun is an election in such a state.
type leaderlessRun struct {
	*testing.T
	election *harness.Election
	replicas []*harness.Sidecar
	ways     map[*harness.Sidecar]weather
	healthy  string
	counts   tally
}

// faults sets what becomes of all requests, which are counted.
func (l *leaderlessRun) faults(fate func(*http.Request) harness.Fate) {
	for s, w := range l.ways {
		w.Faults(l.counts.counting(s.Pod, fate))
	}
}

func (l *leaderlessRun) reset() {
	for _, w := range l.ways {
		w.Reset()
	}
}

// leaderlessStates are the states of the budget.
var leaderlessStates = []leaderless{
	{
		name:  "all are unhealthy",
		flags: func(*testing.T) []string { return []string{"--health-interval", "500ms", "--health-cooldown", "1s"} },
		begin: func(l *leaderlessRun) { _ = os.Remove(l.healthy) },
		end:   func(l *leaderlessRun) { _ = os.WriteFile(l.healthy, nil, 0o600) },
		wait:  0,
	},
	{
		name: "the Lease is absent, and nobody may create it", absent: true,
		begin: func(*leaderlessRun) {},
		end:   func(l *leaderlessRun) { l.election.Ship(l) },
		wait:  15 * time.Second,
	},
	{
		name:  "writes are forbidden",
		begin: func(l *leaderlessRun) { l.faults(refused(isWrite, http.StatusForbidden)) },
		end:   func(l *leaderlessRun) { l.faults(passes) },
	},
	{
		name: "the API server answers 503",
		begin: func(l *leaderlessRun) {
			l.faults(every(harness.Fate{Status: http.StatusServiceUnavailable}))
			l.reset()
		},
		end: func(l *leaderlessRun) { l.faults(passes) },
	},
	{
		name: "the API server says nothing",
		begin: func(l *leaderlessRun) {
			l.faults(every(harness.Fate{Delay: time.Hour}))
			l.reset()
		},
		end: func(l *leaderlessRun) { l.faults(passes); l.reset() },
	},
	{
		name: "the API server refuses connections",
		begin: func(l *leaderlessRun) {
			for _, w := range l.ways {
				w.Refuse(l)
			}
		},
		end: func(l *leaderlessRun) {
			for _, w := range l.ways {
				w.Listen(l)
			}
		},
	},
}

// TestLeaderlessBudget counts what each of three candidates asks of the API server while nobody leads, watches that are
// opened and connections that are refused included, and takes the time from the state's end to the next leader. With
// -long a state lasts five minutes, of which the last two are judged.
func TestLeaderlessBudget(t *testing.T) {
	t.Parallel()
	span, judged, most := 30*time.Second, 15*time.Second, leaderlessAtOnce
	if *long {
		span, judged, most = 5*time.Minute, 2*time.Minute, leaderlessBudget
	}
	for _, state := range leaderlessStates {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			l := &leaderlessRun{T: t, election: harness.NewElection(t, harness.Shared(t), 15*time.Second), healthy: filepath.Join(t.TempDir(), "healthy")}
			e := l.election
			if err := os.WriteFile(l.healthy, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if !state.absent {
				e.ShipFree(t)
			}
			if state.flags != nil {
				e.Flags = append(state.flags(t), "--health-file", l.healthy)
			}
			l.startCounted()
			if !state.absent {
				awaitAgreement(t, e.Duration+slack, l.replicas)
			}
			watch(t, l.replicas...)
			state.begin(l)
			time.Sleep(span - judged)
			began := l.count()
			time.Sleep(judged)
			ended := l.count()
			for i, s := range l.replicas {
				n := ended[i] - began[i]
				rate := float64(n) / judged.Seconds()
				kinds, _ := l.counts.of(s.Pod)
				t.Logf("figure: %s, %s: %.3f requests/s in the last %v of %v; since the start: %v", state.name, s.Pod, rate, judged, span, kinds)
				if rate > most {
					t.Errorf("%s makes %.3f requests/s in the end, want at most %.3f", s.Pod, rate, most)
				}
				if leads, _ := s.Leads(); leads {
					t.Errorf("%s leads: the state is not what it should be", s.Pod)
				}
			}
			over := now()
			state.end(l)
			harness.AwaitLeader(t, state.wait+backWithin, l.replicas...)
			t.Logf("figure: %s: somebody leads %.1f s after its end, of which %.0f s are the lease duration that must pass",
				state.name, now().Sub(over).Seconds(), state.wait.Seconds())
		})
	}
}

// startCounted starts three replicas behind a storm and a line each, which count what they ask.
func (l *leaderlessRun) startCounted() {
	l.Helper()
	l.ways = map[*harness.Sidecar]weather{}
	for i := range 3 {
		s := l.election.Prepare(l, fmt.Sprintf("web-%d", i))
		w := openWeather(l.election.Cluster)(l)
		w.Faults(l.counts.counting(s.Pod, passes))
		l.ways[s] = w
		s.Kubeconfig = l.election.Access.Kubeconfig(l, w.Host())
		s.Start(l, l.election)
		l.replicas = append(l.replicas, s)
	}
}

// count returns how much each replica has asked so far, or tried to.
func (l *leaderlessRun) count() []int {
	var all []int
	for _, s := range l.replicas {
		_, n := l.counts.of(s.Pod)
		all = append(all, n+l.ways[s].Refused())
	}
	return all
}

// TestLongIntervalAmongShortOnes lets a leader renew every 5 s among standbys that would renew every second: they go by
// what the holder does, and do not suspect their watches all the time.
func TestLongIntervalAmongShortOnes(t *testing.T) {
	t.Parallel()
	const rest, span = 15 * time.Second, 20 * time.Second
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.ShipFree(t)
	e.Flags = []string{"--renew-interval", "5s"}
	leader := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, leader)
	e.Flags = []string{"--renew-interval", "1s"}
	replicas := []*harness.Sidecar{leader}
	for i := range 3 {
		replicas = append(replicas, e.Start(t, fmt.Sprintf("web-%d", i+1)))
	}
	awaitAgreement(t, slack, replicas)
	same := steady(leader)
	time.Sleep(rest)
	from := time.Now()
	harness.Throughout(t, span, "the same term", same)
	asked := e.Cluster.Audit.Requests(t, from, func(r harness.Request) bool { return r.Namespace == e.Namespace && r.User == e.Access.User })
	watches := slices.DeleteFunc(slices.Clone(asked), func(r harness.Request) bool { return !r.Watching })
	n := len(slices.DeleteFunc(asked, func(r harness.Request) bool { return r.Verb == "watch" })) + len(watches)
	rate := float64(n) / span.Seconds()
	t.Logf("figure: %.2f requests/s, of them %.2f watches/s", rate, float64(len(watches))/span.Seconds())
	if rate > budget {
		t.Errorf("four replicas make %.2f requests/s, want at most %.2f", rate, budget)
	}
	if e.Holder(t) == "" {
		t.Error("nobody holds the Lease")
	}
}
