package membership

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	namespace = "default"
	election  = "acme-752b7817f6"
)

// fleet is the members of one election in a bubble of virtual time.
type fleet struct {
	t       *testing.T
	backend *memory.Backend
	ctx     context.Context
	running sync.WaitGroup
	wrap    func(lease.Members) lease.Members // what each later member's store is behind; nil: nothing
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fleet{t: t, backend: memory.New(), ctx: ctx}
		defer f.running.Wait()
		defer cancel()
		test(f)
	})
}

// replica is one running member.
type replica struct {
	*Membership
	fleet    *fleet
	conn     *memory.Members
	identity string
	lease    string
	kill     context.CancelFunc

	mu        sync.Mutex
	choices   []Choice
	documents []Document
	found     []string
}

// config is that of a member of revision a, at the defaults.
func config(pod string) Config {
	return Config{
		Lease: election, Namespace: namespace, Workload: "deployment/web", Pod: pod, PodUID: "uid-of-" + pod, Node: "node-1",
		Revision: "a", Version: "v1", Priority: 10,
	}.WithDefaults()
}

func uuid(pod string, run int) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", len(pod)*1000+run)
}

// start starts a member whose identity is that of its run.
func (f *fleet) start(pod string, run int, change ...func(*Config)) *replica {
	f.t.Helper()
	cfg := config(pod)
	for _, c := range change {
		c(&cfg)
	}
	r := &replica{fleet: f, conn: f.backend.Members(namespace, election), identity: pod + "_" + uuid(pod, run), lease: cfg.leaseName()}
	var store lease.Members = r.conn
	if f.wrap != nil {
		store = f.wrap(store)
	}
	m, err := New(cfg, Deps{
		Members: store, Clock: clocktest.Bubble{}, BootID: "boot", Log: slog.New(slog.DiscardHandler), Identity: func() string { return r.identity },
	}, Outputs{
		Prefer:  func(c Choice) { r.mu.Lock(); defer r.mu.Unlock(); r.choices = append(r.choices, c) },
		Publish: func(d Document, _ bool) { r.mu.Lock(); defer r.mu.Unlock(); r.documents = append(r.documents, d) },
		Found: func(pod, identity, why string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.found = append(r.found, pod+": "+identity+why)
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	r.Membership = m
	ctx, cancel := context.WithCancel(f.ctx)
	r.kill = func() { r.conn.Blackhole(true); cancel() } // a killed process says nothing more
	f.running.Go(func() { m.Run(ctx) })
	return r
}

func revision(revision string) func(*Config) { return func(c *Config) { c.Revision = revision } }

// wait lets time pass, and everything come to rest.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pods returns the live members that the replica lists.
func (r *replica) pods() []string {
	pods := []string{}
	for _, m := range r.Document().Members {
		pods = append(pods, m.Pod)
	}
	return pods
}

func (r *replica) sent() map[string]int {
	sent := map[string]int{}
	for verb, n := range r.Requests() {
		sent[verb] = n.Sent
	}
	return sent
}

func (r *replica) lead(leads bool) {
	l := leadership.Leadership{Leader: naming.Identity(r.identity).Name(), IsLeader: leads, Token: "7"}
	l.ValidUntil = clocktest.Bubble{}.Now().Add(1000 * time.Hour)
	l.ValidUntilWall = time.Now().Add(1000 * time.Hour)
	r.Observe(l)
}

// stored returns the Lease of a member as it is stored.
func (f *fleet) stored(r *replica) *coordinationv1.Lease {
	f.t.Helper()
	o := f.backend.Read(namespace, r.lease)
	if o == nil {
		f.t.Fatalf("there is no Lease %s", r.lease)
	}
	return o
}

func (f *fleet) wantPods(r *replica, want ...string) {
	f.t.Helper()
	slices.Sort(want)
	if got := r.pods(); !slices.Equal(got, want) {
		f.t.Fatalf("at %v: %s lists %v, want %v", time.Now().Format(time.TimeOnly), r.identity, got, want)
	}
}
