//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// errLost ends a program that leads no more: it cannot know what its successor has begun.
var errLost = errors.New("leadership was lost")

// candidate is one campaign of client-go's elector.
type candidate struct {
	config                     *rest.Config
	namespace, lease, identity string

	leaseDuration, renewDeadline, retryPeriod time.Duration
	releaseOnCancel                           bool

	journal *journal
}

// campaign runs the elector until ctx ends or leadership is lost.
func (c *candidate) campaign(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("make the client: %w", err)
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: c.namespace, Name: c.lease},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: c.identity},
		},
		LeaseDuration: c.leaseDuration, RenewDeadline: c.renewDeadline, RetryPeriod: c.retryPeriod,
		ReleaseOnCancel: c.releaseOnCancel,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: c.work,
			OnStoppedLeading: c.journal.stopped,
		},
	})
	if err != nil {
		return fmt.Errorf("make the elector: %w", err)
	}

	election, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		elector.Run(election)
	}()
	select {
	case <-ended:
		return errLost
	case <-ctx.Done():
	}
	c.journal.stopped() // the work first: with ReleaseOnCancel the Lease is free as soon as the election is cancelled
	cancel()
	<-ended
	return nil
}

// work is what is done while leading. The elector starts it on a goroutine of its own, perhaps after the end.
func (c *candidate) work(ctx context.Context) {
	c.journal.started()
	<-ctx.Done()
	c.journal.stopped()
}
