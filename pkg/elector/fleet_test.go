package elector

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// fleet is some candidates of one Lease in a bubble.
type fleet struct {
	t       *testing.T
	clock   clocktest.Bubble
	backend *memory.Backend
	members []*member
}

type member struct {
	*Elector
	store  *memory.Store
	cancel context.CancelFunc
	ended  chan error

	mu  sync.Mutex
	all []leadership.Leadership // that were published
}

func newFleet(t *testing.T, n int, wait func(context.Context, Drain) Outcome) *fleet {
	f := &fleet{t: t, backend: memory.New()}
	for i := range n {
		f.add(naming.Identity([]string{"web-0_a", "web-1_b", "web-2_c"}[i]), wait)
	}
	t.Cleanup(func() {
		for _, m := range f.members {
			m.cancel()
			m.Abandon()
			<-m.ended
		}
	})
	return f
}

func (f *fleet) add(id naming.Identity, wait func(context.Context, Drain) Outcome) *member {
	return f.join(id, func(_ *Config, d *parts) { d.StopWait = wait })
}

// parts is what a candidate is made of, and what it hands its results to.
type parts struct {
	Deps
	Outputs
}

// join runs one more member, which is as change has it.
func (f *fleet) join(id naming.Identity, change func(*Config, *parts)) *member {
	m := &member{store: f.backend.Store("default", "acme-1"), ended: make(chan error, 1)}
	cfg := configured(id)
	p := parts{
		Deps: Deps{Store: m.store, Clock: f.clock, BootID: "boot"},
		Outputs: Outputs{Publish: func(l leadership.Leadership) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.all = append(m.all, l)
		}},
	}
	change(&cfg, &p)
	var err error
	m.Elector, err = New(cfg, p.Deps)
	if err != nil {
		f.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() { m.ended <- m.Run(ctx, p.Outputs); close(m.ended) }()
	f.members = append(f.members, m)
	return m
}

// published returns every leadership that was published.
func (m *member) published() []leadership.Leadership {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.all)
}

func (f *fleet) leaders() (names []string) {
	for _, m := range f.members {
		if m.Leadership().IsLeader {
			names = append(names, m.cfg.Identity.Name())
		}
	}
	return names
}

// leader waits, at most d, until exactly one leads.
func (f *fleet) leader(d time.Duration) *member {
	f.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if l := f.leaders(); len(l) > 1 {
			f.t.Fatalf("several lead: %v", l)
		}
		for _, m := range f.members {
			if m.Leadership().IsLeader {
				return m
			}
		}
	}
	f.t.Fatalf("nobody leads after %v", d)
	return nil
}
