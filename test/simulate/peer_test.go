//go:build linux

//go:debug randseednop=0

package simulate

import (
	"context"
	"math/rand"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// peer is a candidate that runs client-go's own elector, one process after the other: one that has lost leadership
// exits, as programs do, and is started again.
type peer struct {
	w       *world
	c       *candidate
	process *peerProcess
}

// peerProcess is one run of client-go's elector. Its own fields are guarded by the world's lock.
type peerProcess struct {
	w        *world
	c        *candidate
	number   int
	name     string
	identity string
	cancel   context.CancelFunc
	pause    time.Duration // before the next one starts

	dead, stopped bool
	spans         []span // in which it was told to lead
}

// jitter makes one world at a time the user of math/rand's global generator, which is where client-go draws the pauses
// between its attempts from: seeded, they are the same in every run.
var jitter sync.Mutex

func seedJitter(seed uint64) {
	rand.Seed(int64(seed)) //nolint:staticcheck // client-go takes no generator of ours
}

func (p *peer) start() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.closing {
		return
	}
	p.w.processes++
	r := &peerProcess{w: p.w, c: p.c, number: 1000 + p.w.processes, identity: identityOf(p.c.name, p.w.processes), pause: p.w.cfg.Duration / 4}
	r.name = p.c.name + "/" + r.identity[len(r.identity)-3:]
	p.process = r
	p.w.peers = append(p.w.peers, r)
	p.w.say(r.name, "life", "client-go starts")
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	p.w.running.Go(func() {
		r.run(ctx, p.c.slot.Release)
		p.w.after(r.pause, p.start)
	})
}

func (p *peerProcess) run(ctx context.Context, release bool) {
	t := p.w.plan.peerTimings()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}, Client: peerClient{process: p},
			LockConfig: resourcelock.ResourceLockConfig{Identity: p.identity},
		},
		LeaseDuration: t.lease, RenewDeadline: t.renew, RetryPeriod: t.retry, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { p.tell(true) },
			OnStoppedLeading: func() { p.tell(false) },
		},
	})
	if err != nil {
		panic(err)
	}
	elector.Run(ctx)
}

// tell is the program being told to lead, or to stop. It stops once, and for good.
func (p *peerProcess) tell(leads bool) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.stopped {
		return
	}
	now := p.w.now()
	p.w.say(p.name, "word", "client-go says: leads %v", leads)
	if leads {
		p.spans = append(p.spans, span{from: now, to: forever, who: p.name, theirs: true})
		p.w.tally.peerTerms++
		return
	}
	p.stopped = true
	p.end(now)
}

func (p *peerProcess) end(now time.Duration) {
	if n := len(p.spans); n > 0 && p.spans[n-1].to == forever {
		p.spans[n-1].to = now
	}
}

// leads reports whether the present process was told to lead. The caller holds the world's lock.
func (p *peer) leads() bool {
	r := p.process
	return r != nil && len(r.spans) > 0 && r.spans[len(r.spans)-1].to == forever
}

// kill ends the program without a word: what it told itself ends with it.
func (p *peer) kill(pause time.Duration) {
	p.w.mu.Lock()
	r := p.process
	if r == nil || r.stopped {
		p.w.mu.Unlock()
		return
	}
	r.dead, r.stopped, r.pause = true, true, pause
	r.end(p.w.now())
	p.w.say(r.name, "life", "killed")
	p.w.mu.Unlock()
	r.cancel()
}

// terminate has the program end in good order.
func (p *peer) terminate(pause time.Duration) {
	p.w.mu.Lock()
	r := p.process
	if r == nil || r.stopped {
		p.w.mu.Unlock()
		return
	}
	r.pause = pause
	p.w.say(r.name, "life", "SIGTERM")
	p.w.mu.Unlock()
	r.cancel()
}

func (p *peer) close() {
	p.w.mu.Lock()
	r := p.process
	if r != nil {
		r.dead = true
		r.end(p.w.now())
	}
	p.w.mu.Unlock()
	if r != nil {
		r.cancel()
	}
}
