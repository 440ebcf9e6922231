//go:build linux

package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// peer is a candidate of client-go's elector, in this process. As a program in production would, it runs until it
// loses the lead or is stopped; unlike one, it then campaigns again.
type peer struct {
	name     string
	release  bool
	client   kubernetes.Interface
	election *harness.Election
	witness  *harness.Witness

	mu      sync.Mutex
	leading bool
	cancel  context.CancelFunc
	joined  sync.WaitGroup
}

func (p *peer) leads() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leading
}

// start campaigns until stop.
func (p *peer) start(t *testing.T) {
	quiet := klog.NewContext(context.WithoutCancel(t.Context()), klog.Logger{})
	ctx, cancel := context.WithCancel(quiet)
	p.cancel = cancel
	p.joined.Go(func() {
		for ctx.Err() == nil {
			p.campaign(ctx)
		}
	})
}

// stop ends the campaign, by releasing where the peer does so, and waits until its callbacks are done.
func (p *peer) stop() {
	if p.cancel != nil {
		p.cancel()
		p.joined.Wait()
		p.cancel = nil
	}
}

// campaign runs one elector to its end. Its term runs from the start callback to the stop callback or the end of
// the context that it hands out, whichever tells it first.
func (p *peer) campaign(ctx context.Context) {
	started := make(chan struct{})
	stopped := make(chan struct{})
	var work sync.WaitGroup
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: p.election.Namespace, Name: p.election.Lease},
			Client:     p.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: p.name},
		},
		LeaseDuration: mixedDuration, RenewDeadline: peerDeadline, RetryPeriod: peerRetry,
		ReleaseOnCancel: p.release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				from := p.witness.Now()
				close(started)
				defer work.Done()
				if ctx.Err() != nil {
					return // told to stop before it was told to start
				}
				p.setLeading(true)
				select {
				case <-ctx.Done():
				case <-stopped:
				}
				p.setLeading(false)
				// One name for all of theirs: whether they overlap among themselves is not ours to judge.
				p.witness.Tell(harness.Term{Replica: "client-go", Channel: p.name, From: from, To: p.witness.Now()})
			},
			OnStoppedLeading: func() { close(stopped) },
		},
	})
	if err != nil {
		panic(err) // the timings above are constants that client-go accepts
	}
	work.Add(1)
	elector.Run(ctx)
	select {
	case <-started:
		work.Wait()
	case <-time.After(100 * time.Millisecond): // it never led; a start callback just launched would be here by now
	}
}

func (p *peer) setLeading(leading bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leading = leading
}
