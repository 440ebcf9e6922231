package status

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// scripted is a source whose watches do one thing after another. The last watch lasts until its context ends.
type scripted struct {
	leases  func(list int) ([]coordinationv1.Lease, error)
	watches []func(ctx context.Context, deliver func(kube.Change)) error

	mu             sync.Mutex
	lists, watched int
}

func (s *scripted) List(context.Context) ([]coordinationv1.Lease, lease.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	all, err := s.leases(s.lists)
	return all, "1", err
}

func (s *scripted) Watch(ctx context.Context, _ lease.Version, deliver func(kube.Change)) error {
	s.mu.Lock()
	n := s.watched
	s.watched++
	s.mu.Unlock()
	if n < len(s.watches) {
		return s.watches[n](ctx, deliver)
	}
	return quiet(ctx, deliver)
}

// quiet is a watch that brings nothing but bookmarks.
func quiet(ctx context.Context, deliver func(kube.Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
			deliver(kube.Change{})
		}
	}
}

func always(leases ...coordinationv1.Lease) func(int) ([]coordinationv1.Lease, error) {
	return func(int) ([]coordinationv1.Lease, error) {
		var all []coordinationv1.Lease
		for _, o := range leases {
			all = append(all, *o.DeepCopy())
		}
		return all, nil
	}
}

// output is what a run has written.
type output struct {
	out   strings.Builder
	warns []string
	err   error
}

// runFor runs in virtual time until it ends, for that long at most.
func runFor(t *testing.T, d time.Duration, source Source, edit func(*Config)) *output {
	t.Helper()
	o := &output{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		c := Config{
			Sources: []Source{source}, Place: "namespace shop", Kinds: []Kind{Sidecar}, Clock: clocktest.Bubble{}, Out: &o.out,
			Warn: func(err error) { o.warns = append(o.warns, err.Error()) },
		}
		edit(&c)
		o.err = Run(ctx, c)
	})
	return o
}

// fresh is a Lease that was renewed that long before the bubble's clock began, and renewed again each time by fresh of a later one.
func fresh(v string, after time.Duration, changes ...change) coordinationv1.Lease {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // synctest's own
	return leaseOf(append([]change{version(v), func(o *coordinationv1.Lease) {
		o.Spec.AcquireTime, o.Spec.RenewTime = micro(began.Add(-time.Minute)), micro(began.Add(after))
	}}, changes...)...)
}

// after waits, and then delivers changes.
func after(d time.Duration, changes ...kube.Change) func(context.Context, func(kube.Change)) error {
	return func(ctx context.Context, deliver func(kube.Change)) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
		for _, c := range changes {
			deliver(c)
		}
		return quiet(ctx, deliver)
	}
}

// TestMeasure: the first print waits until the holder has renewed, and no longer than it may.
func TestMeasure(t *testing.T) {
	next := fresh("101", 2*time.Second)
	source := &scripted{leases: always(fresh("100", 0)), watches: []func(context.Context, func(kube.Change)) error{after(2*time.Second, kube.Change{Lease: &next})}}
	got := runFor(t, time.Minute, source, func(c *Config) { c.Measure = 10 * time.Second })
	if got.err != nil || !strings.Contains(got.out.String(), " 0s             Held") {
		t.Errorf("%v\n%s", got.err, &got.out)
	}
	silent := &scripted{leases: always(fresh("100", 0))}
	got = runFor(t, time.Minute, silent, func(c *Config) { c.Measure = 10 * time.Second })
	if got.err != nil || !strings.Contains(got.out.String(), " ~10s           ~Held") {
		t.Errorf("no renewal: %v\n%s", got.err, &got.out)
	}
	got = runFor(t, time.Minute, silent, func(c *Config) { c.Measure = 20 * time.Second })
	if got.err != nil || !strings.Contains(got.out.String(), " Expired") {
		t.Errorf("no renewal for its validity: %v\n%s", got.err, &got.out)
	}
}

// TestWatchPrintsChanges: changes come between two looks. Renewals make no row; a take, an expiry and a deletion make one each.
func TestWatchPrintsChanges(t *testing.T) {
	renewal, expired := fresh("101", 3*time.Second), fresh("101", 3*time.Second)
	take := fresh("102", 30*time.Second, held("web-1"), marked("web-1 15"), func(o *coordinationv1.Lease) { o.Spec.AcquireTime = o.Spec.RenewTime })
	source := &scripted{leases: always(fresh("100", 0)), watches: []func(context.Context, func(kube.Change)) error{
		func(ctx context.Context, deliver func(kube.Change)) error {
			for _, step := range []struct {
				after  time.Duration
				change kube.Change
			}{{3100 * time.Millisecond, kube.Change{Lease: &renewal}}, {27 * time.Second, kube.Change{Lease: &take}}, {5 * time.Second, kube.Change{Lease: &expired, Deleted: true}}} {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(step.after):
					deliver(step.change)
				}
			}
			return quiet(ctx, deliver)
		},
	}}
	got := runFor(t, time.Minute, source, func(c *Config) { c.Watch = true })
	const want = `NAME              WORKLOAD         LEADER   TERM AGE   VALID    TOKEN    TRANSITIONS   MEMBERS   LAST RENEWAL   STATE
acme-752b7817f6   deployment/web   web-0    ~60s       ~14s     <=100    3             <none>    ~0s            ~Held
acme-752b7817f6   deployment/web   <none>   <none>     <none>   <none>   3             <none>    15s            Expired
acme-752b7817f6   deployment/web   web-1    0s         14s      102      3             <none>    0s             Held
acme-752b7817f6   deployment/web   <none>   <none>     <none>   <none>   3             <none>    4s             Deleted
`
	if diff := cmp.Diff(want, got.out.String()); diff != "" || got.err != nil {
		t.Errorf("%v, (-want +got):\n%s", got.err, diff)
	}
}

// TestWatchGoesOn: a watch that breaks, is silent, or starts too late is made again, and only trouble is reported. What happened meanwhile is
// shown, as an estimate.
func TestWatchGoesOn(t *testing.T) {
	broken := errors.New("connection reset")
	source := &scripted{
		leases: func(list int) ([]coordinationv1.Lease, error) {
			if list == 3 {
				return nil, errors.New("connection refused")
			}
			if list < 3 {
				return []coordinationv1.Lease{fresh("100", 0)}, nil
			}
			return []coordinationv1.Lease{fresh("200", 10*time.Second, held("web-1"), marked("web-1 15"))}, nil
		},
		watches: []func(context.Context, func(kube.Change)) error{
			func(context.Context, func(kube.Change)) error { return lease.ErrExpired },
			func(_ context.Context, deliver func(kube.Change)) error { deliver(kube.Change{}); return broken },
			func(ctx context.Context, _ func(kube.Change)) error { <-ctx.Done(); return ctx.Err() }, // half open
		},
	}
	got := runFor(t, 3*time.Minute, source, func(c *Config) { c.Watch = true })
	wantWarns := []string{"connection reset; next try in 1s", "connection refused; next try in 2s", "the watch has said nothing for 1m30s; next try in 4s"}
	if diff := cmp.Diff(wantWarns, got.warns); diff != "" || got.err != nil {
		t.Errorf("%v, warnings (-want +got):\n%s", got.err, diff)
	}
	rows := strings.Split(strings.TrimSpace(got.out.String()), "\n")
	if len(rows) < 3 || !strings.Contains(rows[2], "web-1") || !strings.Contains(rows[2], "~Held") {
		t.Errorf("rows:\n%s", &got.out)
	}
}

// TestWatchGivesUp: after many failures in a row, at once where a right is missing, and at once where nothing was ever read.
func TestWatchGivesUp(t *testing.T) {
	failing := errors.New("connection refused")
	for name, tc := range map[string]struct {
		list, watch error
		warns       int
	}{
		"no answer at the start": {list: failing},
		"no answer any more":     {watch: failing, warns: mostFailures - 1},
		"no right to list":       {list: lease.ErrForbidden},
		"no right to watch":      {watch: lease.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			source := &scripted{leases: func(int) ([]coordinationv1.Lease, error) { return []coordinationv1.Lease{fresh("100", 0)}, tc.list }}
			for range 2 * mostFailures {
				source.watches = append(source.watches, func(context.Context, func(kube.Change)) error { return tc.watch })
			}
			got := runFor(t, time.Hour, source, func(c *Config) { c.Watch = true })
			if want := errors.Join(tc.list, tc.watch); !errors.Is(want, got.err) || got.err == nil || len(got.warns) != tc.warns {
				t.Errorf("%v after %d warnings; want %v after %d", got.err, len(got.warns), want, tc.warns)
			}
		})
	}
}

// TestOneShot: what is printed once, in each format, and where there is nothing.
func TestOneShot(t *testing.T) {
	some := &scripted{leases: always(fresh("100", 0), memberOf("web-0"))}
	none := &scripted{leases: always()}
	for name, tc := range map[string]struct {
		source Source
		edit   func(*Config)
		want   []string // in the output
		warn   string
		err    string
	}{
		"names":         {some, func(c *Config) { c.Format = Name }, []string{"lease.coordination.k8s.io/" + leaseName + "\n"}, "", ""},
		"JSON":          {some, func(c *Config) { c.Format = JSON }, []string{`"leader": "web-0"`, `"tokenAtMost": "100"`}, "", ""},
		"YAML":          {some, func(c *Config) { c.Format = YAML }, []string{"items:\n- acquireTime: ", "workload: deployment/web"}, "", ""},
		"members":       {some, func(c *Config) { c.Kinds = []Kind{MemberOf} }, []string{"ELECTION", "web-0"}, "", ""},
		"one":           {some, func(c *Config) { c.Subject.Lease = leaseName }, []string{"the election of deployment/web.\nweb-0 leads"}, "", ""},
		"by workload":   {some, func(c *Config) { c.Subject = Subject{"x", "deployment/web"} }, []string{"the election of deployment/web."}, "", ""},
		"a member":      {some, func(c *Config) { m := memberOf("web-0"); c.Subject.Lease = m.Name }, []string{"ELECTION", "web-0"}, "", ""},
		"nothing":       {none, func(*Config) {}, nil, "nothing found in namespace shop", ""},
		"nothing, JSON": {none, func(c *Config) { c.Format = JSON }, []string{`"items": []`}, "", ""},
		"no such Lease": {some, func(c *Config) { c.Subject.Lease = "x" }, nil, "", `no Lease "x" in namespace shop`},
		"no such workload": {
			some, func(c *Config) { c.Subject = Subject{"x-1", "deployment/api"} }, nil, "", "no election of deployment/api in namespace shop: neither a Lease of that annotation, nor Lease x-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := runFor(t, time.Minute, tc.source, tc.edit)
			for _, want := range tc.want {
				if !strings.Contains(got.out.String(), want) {
					t.Errorf("no %q in\n%s", want, &got.out)
				}
			}
			if warns := strings.Join(got.warns, "\n"); warns != tc.warn {
				t.Errorf("warned %q, want %q", warns, tc.warn)
			}
			if (tc.err == "") != (got.err == nil) || got.err != nil && !strings.Contains(got.err.Error(), tc.err) {
				t.Errorf("ended with %v, want %q", got.err, tc.err)
			}
		})
	}
}
