package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// A Lease is made without a holder, taken on the very version that was read, and released with a mark: only a record that
// is marked so is free at once.
func ExampleStore() {
	ctx := context.Background()
	var store lease.Store = memory.New().Store("default", "acme-752b7817f6")

	made, err := store.Create(ctx, lease.Record{Workload: "deployment/web"})
	if err != nil {
		log.Fatal(err)
	}
	take := made
	take.Holder, take.DurationSeconds, take.RenewTime = "web-5d9_0b1f", 15, time.Now()
	take.Mark, take.Transitions = lease.HeldMark(take.Holder, 15*time.Second), take.NextTransitions()
	taken, err := store.Update(ctx, take)
	fmt.Println(taken.Holder, taken.Validity(), err)

	late := made // another candidate, which has not seen the write
	late.Holder = "web-7c4_55aa"
	_, err = store.Update(ctx, late)
	fmt.Println(errors.Is(err, lease.ErrConflict))

	release := taken
	release.Holder, release.DurationSeconds, release.RenewTime = "", 1, time.Now().UTC().Truncate(time.Microsecond)
	release.Mark = lease.ReleasedMark(release.RenewTime)
	released, err := store.Update(ctx, release)
	fmt.Println(released.Released(), err)
	// Output:
	// web-5d9_0b1f 15s <nil>
	// true
	// true <nil>
}
