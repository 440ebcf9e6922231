//go:build linux

package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// cuts is how often the leader is cut off. Standbys poll at random times.
const cuts = 300

// TestClientGoStopsItsLeaderLate makes the figures of docs/adr/0001-own-elector.md: client-go's elector at its default timings, in
// virtual time. The leader is cut off right after a renewal: none of its requests is answered any more.
func TestClientGoStopsItsLeaderLate(t *testing.T) {
	for name, tc := range map[string]struct {
		release bool
		stops   time.Duration // after the last renewal
	}{
		"ReleaseOnCancel":         {true, 22 * time.Second},
		"without ReleaseOnCancel": {false, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			overlaps, longest, first := 0, time.Duration(0), time.Hour
			for range cuts {
				stops, starts := cutOffLeader(t, tc.release)
				if stops != tc.stops {
					t.Fatalf("the leader stops %s after its last renewal, want %s", stops, tc.stops)
				}
				if stops > starts {
					overlaps++
				}
				longest, first = max(longest, stops-starts), min(first, starts)
			}
			t.Logf("the leader stops %s after its last renewal, a standby starts after %s at the earliest: %d overlaps in %d, of %s at most",
				tc.stops, first, overlaps, cuts, max(longest, 0))
			if tc.release && overlaps < cuts/2 || !tc.release && overlaps > 0 || first < 15*time.Second {
				t.Errorf("%d overlaps, the earliest start after %s: want most with ReleaseOnCancel, none without it, and no start before 15s", overlaps, first)
			}
		})
	}
}

// cutOffLeader runs one election of two candidates, and returns when the leader stops and when the standby starts, both counted from
// the leader's last renewal.
func cutOffLeader(t *testing.T, release bool) (stops, starts time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		record := &sharedRecord{}
		old, next := newClientGo(record, "old", release), newClientGo(record, "next", release)
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.Logger{}))
		var electors sync.WaitGroup
		defer electors.Wait()
		defer cancel()
		electors.Go(func() { old.elector.Run(ctx) })
		<-old.started
		electors.Go(func() { next.elector.Run(ctx) })
		time.Sleep(time.Minute)
		renewed := old.lock.cutOff()
		<-next.started
		<-old.stopped
		stops, starts = old.stoppedAt.Sub(renewed), next.startedAt.Sub(renewed)
	})
	return stops, starts
}

// clientGo is one elector of client-go's. Its channels are closed when it starts to lead and when OnStoppedLeading is called, at that time.
type clientGo struct {
	elector          *leaderelection.LeaderElector
	lock             *sharedLock
	started, stopped chan struct{}

	startedAt, stoppedAt time.Time
}

func newClientGo(record *sharedRecord, name string, release bool) *clientGo {
	c := &clientGo{
		lock:    &sharedLock{record: record, name: name, cut: make(chan struct{})},
		started: make(chan struct{}), stopped: make(chan struct{}),
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: c.lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { c.startedAt = time.Now(); close(c.started) },
			OnStoppedLeading: func() { c.stoppedAt = time.Now(); close(c.stopped) },
		},
	})
	if err != nil {
		panic(err)
	}
	c.elector = elector
	return c
}

// sharedRecord is the Lease of an election, and when it was written last.
type sharedRecord struct {
	mu      sync.Mutex
	record  []byte
	written time.Time
	version int
}

// sharedLock is one candidate's way to the record. Writes are conditional on the version that it has read, as with the API server.
type sharedLock struct {
	record *sharedRecord
	name   string
	read   int
	cut    chan struct{} // closed: no request is answered
}

var _ resourcelock.Interface = (*sharedLock)(nil)

// cutOff waits for this candidate's next write, and leaves each later request without an answer. It returns when that write was made.
func (l *sharedLock) cutOff() time.Time {
	l.record.mu.Lock()
	from := l.record.written
	l.record.mu.Unlock()
	for {
		time.Sleep(time.Millisecond)
		l.record.mu.Lock()
		written := l.record.written
		if written.After(from) {
			close(l.cut)
			l.record.mu.Unlock()
			return written
		}
		l.record.mu.Unlock()
	}
}

// lost waits for the end of a request that nobody answers.
func (l *sharedLock) lost(ctx context.Context) error {
	select {
	case <-l.cut:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

func (l *sharedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := l.lost(ctx); err != nil {
		return nil, nil, err
	}
	l.record.mu.Lock()
	defer l.record.mu.Unlock()
	l.read = l.record.version
	if l.record.record == nil {
		return nil, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, "web")
	}
	var r resourcelock.LeaderElectionRecord
	return &r, l.record.record, json.Unmarshal(l.record.record, &r)
}

func (l *sharedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, r)
}

func (l *sharedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := l.lost(ctx); err != nil {
		return err
	}
	l.record.mu.Lock()
	defer l.record.mu.Unlock()
	if l.read != l.record.version {
		return errors.New("somebody else has written since the read")
	}
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.record.version++
	l.read, l.record.record, l.record.written = l.record.version, content, time.Now()
	return nil
}

func (l *sharedLock) RecordEvent(string) {}

func (l *sharedLock) Identity() string { return l.name }

func (l *sharedLock) Describe() string { return "web" }
