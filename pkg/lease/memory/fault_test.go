package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

var errStorm = errors.New("503 storm")

func TestFates(t *testing.T) {
	for _, c := range []struct {
		name        string
		fate        memory.Fate
		wantErr     error
		wantAt      time.Duration // when the call returns
		wantApplied time.Duration // when the backend has the write; < 0: never
	}{
		{"healthy", memory.Fate{}, nil, 0, 0},
		{"delayed", memory.Fate{Delay: time.Second}, nil, time.Second, time.Second},
		{"reply delayed", memory.Fate{ReplyDelay: time.Second}, nil, time.Second, 0},
		{"both delayed", memory.Fate{Delay: time.Second, ReplyDelay: time.Second}, nil, 2 * time.Second, time.Second},
		{"lost", memory.Fate{Lost: true}, context.DeadlineExceeded, 5 * time.Second, -1},
		{"reply lost", memory.Fate{ReplyLost: true}, context.DeadlineExceeded, 5 * time.Second, 0},
		{"applied late", memory.Fate{Delay: 40 * time.Second}, context.DeadlineExceeded, 5 * time.Second, 40 * time.Second},
		{"refused", memory.Fate{Err: errStorm}, errStorm, 0, -1},
		{"refused after a while", memory.Fate{Err: errStorm, Delay: time.Second}, errStorm, time.Second, -1},
		{"refused, yet applied", memory.Fate{Err: errStorm, Applied: true}, errStorm, 0, 0},
		{"sent twice", memory.Fate{Again: time.Second}, lease.ErrConflict, time.Second, 0},
		{"sent twice, late", memory.Fate{Delay: time.Second, Again: time.Second}, lease.ErrConflict, 2 * time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend, store, made := seed(t)
				start := time.Now()
				applied := make(chan time.Duration, 1)
				go watchOnce(t, backend.Store("default", "acme-1"), made.Version, func() { applied <- time.Since(start) })

				store.Faults(func(memory.Verb) memory.Fate { return c.fate })
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				made.Holder = "a_1"
				_, err := store.Update(ctx, made)
				if !errors.Is(err, c.wantErr) {
					t.Errorf("update: error %v, want %v", err, c.wantErr)
				}
				if got := time.Since(start); got != c.wantAt {
					t.Errorf("the call returned after %v, want %v", got, c.wantAt)
				}
				select {
				case got := <-applied:
					if got != c.wantApplied {
						t.Errorf("applied after %v, want %v", got, c.wantApplied)
					}
				case <-time.After(time.Minute):
					if c.wantApplied >= 0 {
						t.Errorf("never applied, want it after %v", c.wantApplied)
					}
				}
			})
		})
	}
}

func TestWatchFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  func(*memory.Store)
		after   func(*memory.Backend, *memory.Store) // after the change, 10 s later
		want    time.Duration                        // when the change is seen; < 0: never
		wantErr error
	}{
		{name: "healthy", want: 0, wantErr: context.DeadlineExceeded},
		{
			name: "lag", want: 3 * time.Second, wantErr: context.DeadlineExceeded,
			before: func(s *memory.Store) { s.LagWatches(3 * time.Second) },
		},
		{
			name: "stalled for good", want: -1, wantErr: context.DeadlineExceeded,
			before: func(s *memory.Store) { s.StallWatches(true) },
		},
		{
			name: "stalled for a while", want: 10 * time.Second, wantErr: context.DeadlineExceeded,
			before: func(s *memory.Store) { s.StallWatches(true) },
			after:  func(_ *memory.Backend, s *memory.Store) { s.StallWatches(false) },
		},
		{
			name: "blackholed for a while", want: 10 * time.Second, wantErr: context.DeadlineExceeded,
			before: func(s *memory.Store) { s.Blackhole(true) },
			after:  func(_ *memory.Backend, s *memory.Store) { s.Blackhole(false) },
		},
		{
			name: "broken", want: 0, wantErr: errStorm,
			after: func(_ *memory.Backend, s *memory.Store) { s.BreakWatches(errStorm) },
		},
		{
			name: "closed in good order", want: 0, wantErr: nil,
			after: func(_ *memory.Backend, s *memory.Store) { s.BreakWatches(nil) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend, store, made := seed(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ended := make(chan error, 1)
				seen := time.Duration(-1)
				start := time.Now()
				go func() {
					ended <- store.Watch(ctx, made.Version, nil, func(lease.Event) { seen = time.Since(start) })
				}()
				synctest.Wait()
				if c.before != nil {
					c.before(store)
				}
				take(t, backend.Store("default", "acme-1"), made)
				time.Sleep(10 * time.Second)
				if c.after != nil {
					c.after(backend, store)
				}
				if err := <-ended; !errors.Is(err, c.wantErr) {
					t.Errorf("the watch ended with %v, want %v", err, c.wantErr)
				}
				if seen != c.want {
					t.Errorf("seen after %v, want %v", seen, c.want)
				}
			})
		})
	}
}

func TestCompactedHistoryIsExpired(t *testing.T) {
	backend, store, made := seed(t)
	take(t, store, made)
	backend.Compact()
	if err := store.Watch(t.Context(), made.Version, nil, nil); !errors.Is(err, lease.ErrExpired) {
		t.Errorf("watch from a forgotten version: error %v, want %v", err, lease.ErrExpired)
	}
}

func TestRestorePutsVersionsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, store, made := seed(t)
		restore := backend.Backup()
		take(t, store, made)
		ended := make(chan error, 1)
		go func() { ended <- store.Watch(t.Context(), made.Version, nil, func(lease.Event) {}) }()
		synctest.Wait()
		restore()
		if err := <-ended; err == nil {
			t.Error("an open watch outlived the restore")
		}
		got, err := store.Get(t.Context())
		if err != nil || got.Version != made.Version || got.Holder != "" {
			t.Errorf("after the restore: %+v, %v; want version %s, no holder", got, err, made.Version)
		}
	})
}

// seed returns a backend with one Lease, a candidate's store on it, and the Lease's record.
func seed(t *testing.T) (*memory.Backend, *memory.Store, lease.Record) {
	t.Helper()
	backend := memory.New()
	store := backend.Store("default", "acme-1")
	reply, err := store.Create(t.Context(), lease.Record{})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return backend, store, reply
}

// take gives the Lease a holder, and returns the version that came of it.
func take(t *testing.T, store *memory.Store, r lease.Record) lease.Version {
	t.Helper()
	r.Holder = "a_1"
	reply, err := store.Update(t.Context(), r)
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return reply.Version
}

// watchOnce calls seen at the first event, and ends with the test.
func watchOnce(t *testing.T, store *memory.Store, from lease.Version, seen func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_ = store.Watch(ctx, from, nil, func(lease.Event) { seen() })
}
