package elector

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// meter counts a candidate's requests, watches too.
type meter struct{ count atomic.Int64 }

// through returns a fate that counts the requests on their way to that one.
func (c *meter) through(fate func(memory.Verb) memory.Fate) func(memory.Verb) memory.Fate {
	return func(v memory.Verb) memory.Fate {
		c.count.Add(1)
		return fate(v)
	}
}

// take returns the number of requests since the last call.
func (c *meter) take() int { return int(c.count.Swap(0)) }

func forbid(verbs ...memory.Verb) func(memory.Verb) memory.Fate {
	return func(v memory.Verb) memory.Fate {
		if slices.Contains(verbs, v) {
			return memory.Fate{Err: lease.ErrForbidden}
		}
		return memory.Fate{}
	}
}

// TestElectionWithoutALeaderCostsLittle: GETs, writes and watches together, at most 0.05 a second for each candidate.
func TestElectionWithoutALeaderCostsLittle(t *testing.T) {
	all := func(memory.Verb) memory.Fate { return memory.Fate{Err: errors.New("connection refused")} }
	for _, c := range []struct {
		name    string
		begin   func(f *fleet) // after somebody has led
		fate    func(memory.Verb) memory.Fate
		stalled bool
	}{
		{"all unhealthy", func(f *fleet) {
			for _, m := range f.members {
				m.SetHealthy(false, "test")
			}
		}, forbid(), false},
		{"no Lease, and no right to create one", func(f *fleet) { f.backend.Delete("default", "acme-1") }, forbid(memory.Create), false},
		{"writes forbidden", func(*fleet) {}, forbid(memory.Update), false},
		{"reads and writes forbidden", func(*fleet) {}, forbid(memory.Update, memory.Get, memory.Watch), false},
		{"writes fail", func(*fleet) {}, func(v memory.Verb) memory.Fate {
			if v == memory.Update {
				return memory.Fate{Err: errors.New("500")}
			}
			return memory.Fate{}
		}, false},
		{"the API refuses connections", func(f *fleet) {
			for _, m := range f.members {
				m.store.BreakWatches(errors.New("connection reset"))
			}
		}, all, false},
		{"the API refuses connections, and an edit has shown an hour", func(f *fleet) {
			f.backend.Edit("default", "acme-1", func(o *coordinationv1.Lease) {
				delete(o.Annotations, naming.AnnotationFencedBy)
				o.Spec.LeaseDurationSeconds = new(int32(3600))
			})
			time.Sleep(time.Second) // the leader sees it
			for _, m := range f.members {
				m.store.BreakWatches(errors.New("connection reset"))
			}
		}, all, false},
		{"the API is a black hole", func(*fleet) {}, func(memory.Verb) memory.Fate { return memory.Fate{Lost: true} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3, nil)
				f.leader(20 * time.Second)
				meters := make([]meter, len(f.members))
				for i, m := range f.members {
					m.store.Faults(meters[i].through(c.fate))
					m.store.StallWatches(c.stalled)
				}
				c.begin(f)
				report := ""
				for _, span := range []time.Duration{time.Minute, 4 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
					time.Sleep(span)
					if l := f.leaders(); l != nil {
						t.Fatalf("%v leads: the test proves nothing", l)
					}
					for i, m := range f.members {
						rate := float64(meters[i].take()) / span.Seconds()
						report += fmt.Sprintf(" %s %.3f/s", m.cfg.Identity.Name(), rate)
						if span == 10*time.Minute && rate > 0.05 {
							t.Errorf("%s sends %.3f requests a second, want at most 0.05", m.cfg.Identity.Name(), rate)
						}
					}
					report += ";"
				}
				t.Logf("in the first minute, the four after it, the next five, the next ten:%s", report)
			})
		})
	}
}

// TestShortOutageCostsNoMoreThanItself: in the first minute a candidate tries as if the trouble ended any moment.
func TestShortOutageCostsNoMoreThanItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		f.leader(20 * time.Second)
		for _, m := range f.members {
			m.store.Faults(func(memory.Verb) memory.Fate { return memory.Fate{Err: errors.New("503")} })
			m.store.BreakWatches(errors.New("connection reset"))
		}
		time.Sleep(40 * time.Second)
		for _, m := range f.members {
			m.store.Faults(nil)
		}
		f.leader(5 * time.Second)
	})
}

// TestStandbysLearnHowOftenTheHolderRenews: one that renews every 5 s is no reason for suspicion among standbys that would
// renew every second.
func TestStandbysLearnHowOftenTheHolderRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		f.join("web-0_a", func(c *Config, _ *parts) { c.RenewInterval = 5 * time.Second })
		f.leader(20 * time.Second)
		meters := make([]meter, 2)
		for i := range meters {
			m := f.join(naming.Identity([]string{"web-1_b", "web-2_c"}[i]), func(c *Config, _ *parts) { c.RenewInterval = time.Second })
			m.store.Faults(meters[i].through(forbid()))
		}
		time.Sleep(30 * time.Second) // two renewals are enough to learn
		for i := range meters {
			meters[i].take()
		}
		time.Sleep(5 * time.Minute)
		for i := range meters {
			if n := meters[i].take(); n > 0 {
				t.Errorf("a standby of a leader that renews every 5 s sent %d requests in 5 minutes, want none", n)
			}
		}
	})
}

// TestReady: a candidate that cannot lead for want of rights or of the Lease says so; an outage takes nothing back.
func TestReady(t *testing.T) {
	for _, c := range []struct {
		name string
		fate func(memory.Verb) memory.Fate
		make bool // the Lease is there
		want bool
	}{
		{"all is well", forbid(), false, true},
		{"reads forbidden", forbid(memory.Get), true, false},
		{"watches forbidden: it leads by reading", forbid(memory.Watch), true, true},
		{"updates forbidden", forbid(memory.Update), true, false},
		{"creates forbidden, and no Lease", forbid(memory.Create), false, false},
		{"creates forbidden, and a Lease", forbid(memory.Create), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 0, nil)
				if c.make {
					if _, err := f.backend.Store("default", "acme-1").Create(t.Context(), lease.Record{}); err != nil {
						t.Fatal(err)
					}
				}
				m := f.join("web-0_a", func(*Config, *parts) {})
				m.store.Faults(c.fate)
				time.Sleep(20 * time.Second)
				err := m.Ready()
				if (err == nil) != c.want {
					t.Fatalf("Ready: %v, want ready %v", err, c.want)
				}
				if !c.want && !strings.Contains(err.Error(), lease.ErrForbidden.Error()) {
					t.Errorf("Ready: %v, want the store's own text", err)
				}
				m.store.Faults(func(memory.Verb) memory.Fate { return memory.Fate{Err: errors.New("503")} })
				time.Sleep(10 * time.Minute)
				if err := m.Ready(); (err == nil) != c.want {
					t.Errorf("after an outage: %v, want ready %v as before", err, c.want)
				}
				m.store.Faults(nil)
				time.Sleep(2 * time.Minute)
				if err := m.Ready(); err != nil {
					t.Errorf("once all is well: %v, want ready", err)
				}
			})
		})
	}
}

// TestDeadWatchIsFoundOut: a standby whose requests for a watch were lost for a while sees, by the reads that it does instead,
// that a watch would have shown it more. It does not take the time between its own reads for the holder's interval, and go on
// for ever by a failed take and a read in each lease duration.
func TestDeadWatchIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		f.join("web-0_a", func(c *Config, _ *parts) {
			c.Duration, c.RenewDeadline, c.RenewInterval = 5*time.Second, 3333*time.Millisecond, time.Second
		})
		f.leader(20 * time.Second)
		standby := f.join("web-1_b", func(c *Config, _ *parts) {
			c.Duration, c.RenewDeadline, c.RenewInterval = 5*time.Second, 3333*time.Millisecond, time.Second
		})
		time.Sleep(10 * time.Second)

		var count meter
		cut := time.Now().Add(12 * time.Second)
		standby.store.Faults(count.through(func(v memory.Verb) memory.Fate {
			return memory.Fate{Lost: v == memory.Watch && time.Now().Before(cut)}
		}))
		standby.store.BreakWatches(errors.New("connection reset"))
		time.Sleep(time.Minute)
		count.take()
		time.Sleep(time.Minute)
		if n := count.take(); n > 0 {
			t.Errorf("a standby on a healthy line sent %d requests in a minute, want none: its watch is dead, and it does not know", n)
		}
	})
}
