package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

func createMany(b *bench) {
	var made atomic.Int32
	var group errgroup.Group
	for range 8 {
		store := b.Open(b.t, b.Name)
		group.Go(func() error {
			_, err := store.Create(b.ctx, lease.Record{})
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, lease.ErrExists) {
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.t.Errorf("create: %v", err)
	}
	if got := made.Load(); got != 1 {
		b.t.Errorf("%d creates succeeded, want 1", got)
	}
}

// updateRace has many candidates count up by compare-and-swap: every version may have one successor, and no count may be lost.
func updateRace(b *bench) {
	const candidates, each = 6, 5
	b.create(lease.Record{})
	var mu sync.Mutex
	successors := map[lease.Version]int{}
	var group errgroup.Group
	for range candidates {
		store := b.Open(b.t, b.Name)
		group.Go(func() error {
			for done := 0; done < each; {
				r, err := store.Get(b.ctx)
				if err != nil {
					return err
				}
				r.Transitions++
				_, err = store.Update(b.ctx, r)
				switch {
				case err == nil:
					done++
					mu.Lock()
					successors[r.Version]++
					mu.Unlock()
				case !errors.Is(err, lease.ErrConflict):
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.t.Fatalf("race: %v", err)
	}
	for version, n := range successors {
		if n != 1 {
			b.t.Errorf("version %s was updated %d times", version, n)
		}
	}
	if got := b.get().Transitions; got != candidates*each {
		b.t.Errorf("counted to %d, want %d", got, candidates*each)
	}
}

func twoLeases(b *bench) {
	other := b.Open(b.t, b.Name+"-other")
	mine := b.update(held(b.create(lease.Record{}), "a_1", instant))
	_, err := other.Get(b.ctx)
	b.wantError(err, lease.ErrNotFound)
	made := b.must(other.Create(b.ctx, lease.Record{Workload: "deployment/other"}))
	theirs := b.must(other.Update(b.ctx, held(made, "b_2", instant)))
	if got := b.get(); got.Holder != "a_1" || got.Version != mine.Version {
		b.t.Errorf("the other Lease's update changed this one: %+v", got)
	}
	b.delete()
	if got, err := other.Get(b.ctx); err != nil || got.Version != theirs.Version {
		b.t.Errorf("the deletion of this Lease changed the other: %+v, %v", got, err)
	}
}
