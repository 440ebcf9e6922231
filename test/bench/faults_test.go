//go:build linux

package bench

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var faultSamples = flag.Int("fault-samples", 5, "TestFaults: how many elections of each subject suffer each fault")

// fault is one kind of fault: what befalls an election, or all of them at once.
type fault struct {
	names []string // more than one where it is the same for client-go
	alone func(t *testing.T, c *trial, leader pod)
	all   func(t *testing.T, a *arena)
}

// Faults of one election, in the order in which each election suffers them. A program with client-go's elector has one process:
// its kill stands for that of the sidecar and of the app.
var (
	podKill     = fault{names: []string{"pod-kill"}, alone: killPod}
	sidecarKill = fault{names: []string{"sidecar-kill"}, alone: func(t *testing.T, _ *trial, leader pod) { leader.killElector(t) }}
	appKill     = fault{names: []string{"app-kill"}, alone: func(t *testing.T, _ *trial, leader pod) { leader.killApp(t) }}
	programKill = fault{names: []string{"sidecar-kill", "app-kill"}, alone: sidecarKill.alone}
	cutLine     = fault{names: []string{"cut"}, alone: func(_ *testing.T, _ *trial, leader pod) {
		leader.line().Cut()
		time.Sleep(40 * time.Second)
		leader.line().Heal()
	}}
	cutShort = fault{names: []string{"cut"}, alone: func(_ *testing.T, _ *trial, leader pod) {
		leader.line().Cut()
		time.Sleep(15 * time.Second)
		leader.line().Heal()
	}}
	rollout3  = fault{names: []string{"rollout-3"}, alone: rollOut}
	rollout10 = fault{names: []string{"rollout-10"}, alone: rollOut}
)

// Faults of all elections at once.
var everywhere = []fault{
	{names: []string{"outage-5s"}, all: outage(5 * time.Second)},
	{names: []string{"outage-12s"}, all: outage(12 * time.Second)},
	{names: []string{"outage-30s"}, all: outage(30 * time.Second)},
	{names: []string{"etcd-restart"}, all: func(t *testing.T, a *arena) {
		a.cluster.KillEtcd(t)
		time.Sleep(time.Second)
		a.cluster.RestartEtcd(t)
	}},
	{names: []string{"slow-writes"}, all: func(_ *testing.T, a *arena) {
		a.storm.Faults(func(r *http.Request) harness.Fate {
			if r.Method != http.MethodPut {
				return harness.Fate{}
			}
			return harness.Fate{Delay: 2*time.Second + rand.N(3*time.Second)}
		})
		time.Sleep(time.Minute)
		a.storm.Faults(nil)
	}},
}

func killPod(t *testing.T, c *trial, leader pod) {
	c.forget(leader)
	leader.killPod(t)
	time.Sleep(restartDelay)
	c.start(t)
}

// rollOut replaces every pod as a Deployment does with maxSurge 1 and maxUnavailable 0: a new one, and once it is ready, an old one ends.
func rollOut(t *testing.T, c *trial, _ pod) {
	old := slices.Clone(c.pods)
	rand.Shuffle(len(old), func(i, j int) { old[i], old[j] = old[j], old[i] })
	for _, p := range old {
		fresh := c.start(t)
		if !harness.Within(calmBound, 20*time.Millisecond, fresh.ready) {
			t.Errorf("%s: a new replica is not ready for %v", c.kind.subject, calmBound)
		}
		c.forget(p)
		p.terminate(t)
	}
}

// outage stops the API server: requests hang, and those that wait are answered once it goes on.
func outage(d time.Duration) func(*testing.T, *arena) {
	return func(t *testing.T, a *arena) {
		a.cluster.FreezeAPI(t)
		time.Sleep(d)
		a.cluster.WakeAPI(t)
	}
}

// TestFaults measures for how long nobody works, and for how long two do, by fault: of our sidecar with a command and of programs that
// use client-go's elector, in elections on one API server at the same time. What works is judged by what it writes down itself.
// Short, it measures three faults at a lease duration of 5 s.
func TestFaults(t *testing.T) {
	kinds, alone, ends, samples := withBefore(electorKinds), []fault{podKill, sidecarKill, appKill, rollout3, cutLine}, everywhere, *faultSamples
	if testing.Short() {
		kinds, alone, ends, samples = electorKinds[2:], []fault{podKill, rollout3, cutShort}, nil, min(samples, 2)
	}
	cluster := harness.Start(t)
	a := &arena{cluster: cluster, storm: cluster.Storm(t)}
	var trials, crowds []*trial
	for _, kind := range kinds {
		for range samples {
			trials = append(trials, a.newTrial(t, kind, 3))
		}
		if !testing.Short() {
			crowds = append(crowds, a.newTrial(t, kind, 10))
		}
	}
	var running sync.WaitGroup
	for _, c := range trials {
		running.Go(func() {
			for _, f := range alone {
				switch {
				case c.kind.ours() || len(f.names) > 1 || !slices.Contains(programKill.names, f.names[0]):
					c.suffer(t, f.alone, f.names...)
				case f.names[0] == sidecarKill.names[0]:
					c.suffer(t, programKill.alone, programKill.names...)
				}
			}
		})
	}
	for _, c := range crowds {
		running.Go(func() {
			for range samples {
				c.suffer(t, rollout10.alone, rollout10.names...)
			}
		})
	}
	running.Wait()
	for _, f := range ends {
		spreadOut(t, trials)
		from := bootclock.System{}.Now()
		f.all(t, a)
		everywhereAtOnce(trials, func(c *trial) { c.awaitCalm(t, "after "+f.names[0]) })
		for _, c := range trials {
			c.note(from, f.names...)
		}
	}
	reportFaults(t, kinds, append(trials, crowds...))
}

// everywhereAtOnce does something in all trials, and waits until it is done.
func everywhereAtOnce(trials []*trial, do func(*trial)) {
	var running sync.WaitGroup
	for _, c := range trials {
		running.Go(func() { do(c) })
	}
	running.Wait()
}

// spreadOut replaces all leaders, each at another moment: a fault of all elections has left them renewing at the same instants, and
// the next one would find all at one phase.
func spreadOut(t *testing.T, trials []*trial) {
	everywhereAtOnce(trials, func(c *trial) {
		leader := c.awaitCalm(t, "before the next fault")
		if leader == nil {
			return
		}
		time.Sleep(rand.N(3 * time.Second))
		c.forget(leader)
		leader.terminate(t)
		c.start(t)
		c.awaitCalm(t, "before the next fault")
	})
	time.Sleep(time.Second)
}

// reportFaults records the figures by fault and subject, in the order of their first occurrence.
func reportFaults(t *testing.T, kinds []electorKind, trials []*trial) {
	type key struct {
		fault   string
		subject result.Subject
	}
	leaderless, overlap := map[key][]float64{}, map[key][]float64{}
	var faults []string
	for _, c := range trials {
		c.account(t, func(fault string, without, twice time.Duration) {
			k := key{fault, c.kind.subject}
			leaderless[k] = append(leaderless[k], without.Seconds())
			overlap[k] = append(overlap[k], twice.Seconds())
			if !slices.Contains(faults, fault) {
				faults = append(faults, fault)
			}
		})
	}
	for _, fault := range faults {
		for _, kind := range kinds {
			k := key{fault, kind.subject}
			note := ""
			if !kind.ours() && slices.Contains(programKill.names, fault) {
				note = "the program with the elector is one process, and the same kills stand for those of the sidecar and of the application"
			}
			record(t, result.Series{Figure: "leaderless/" + fault, Subject: kind.subject, Unit: "s", Values: leaderless[k], Note: note})
			record(t, result.Series{Figure: "overlap/" + fault, Subject: kind.subject, Unit: "s", Values: overlap[k]})
		}
	}
}
