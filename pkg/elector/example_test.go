package elector_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// One candidate campaigns for a Lease in memory and leads. When its context ends, it says so, waits until its workload has
// stopped, and releases the Lease last.
func Example() {
	store := memory.New()

	config := elector.Default()
	config.Lease, config.Namespace, config.Identity = "acme-1", "default", "web-0_4f5c"
	config.Duration, config.RenewDeadline, config.RenewInterval = 3*time.Second, 2*time.Second, time.Second // to be over soon
	candidate, err := elector.New(config, elector.Deps{Store: store.Store("default", "acme-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	err = candidate.Run(ctx, elector.Outputs{
		Publish: func(l leadership.Leadership) {
			if l.At(bootclock.System{}.Now()).IsLeader {
				fmt.Println("leads: start the work")
				end() // as SIGTERM does
				return
			}
			fmt.Println("does not lead: no work")
		},
		StopWait: func(_ context.Context, d elector.Drain) elector.Outcome {
			fmt.Printf("%s: waiting for the work to stop\n", d.Cause)
			return elector.WorkloadStopped
		},
	})
	fmt.Println("ended:", err)
	fmt.Printf("holder: %q\n", *store.Read("default", "acme-1").Spec.HolderIdentity)

	// Output:
	// does not lead: no work
	// leads: start the work
	// does not lead: no work
	// terminating: waiting for the work to stop
	// does not lead: no work
	// ended: <nil>
	// holder: ""
}
