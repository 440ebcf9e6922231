//go:build linux

package bench

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// restartDelay is how long a container takes until it runs again in its pod, and a pod until another one runs in its place.
const restartDelay = time.Second

// pod is one replica of a trial, as faults see it. What ends by itself in it is started again after restartDelay.
type pod interface {
	// leads reports whether its elector says now that it leads.
	leads() bool
	// ready reports whether it could take over.
	ready() bool
	// killPod ends all its processes at once, for ever.
	killPod(t *testing.T)
	// killElector ends the process that campaigns.
	killElector(t *testing.T)
	// killApp ends the process that works.
	killApp(t *testing.T)
	// terminate asks it to end, for ever, and waits until it has.
	terminate(t *testing.T)
	// line is its line to the API server.
	line() *harness.Proxy
}

// kubelet starts the main process of a pod again whenever it has ended, until the pod is over.
type kubelet struct {
	over    chan struct{}
	end     func() // closes over, once
	running sync.WaitGroup
}

// newKubelet keeps what start starts, which is running already. Exited returns the channel that closes at the process's end.
func newKubelet(exited func() <-chan struct{}, start func()) *kubelet {
	k := &kubelet{over: make(chan struct{})}
	k.end = sync.OnceFunc(func() { close(k.over) })
	k.running.Go(func() {
		for {
			select {
			case <-exited():
			case <-k.over:
				return
			}
			select {
			case <-time.After(restartDelay):
				start()
			case <-k.over:
				return
			}
		}
	})
	return k
}

// stop ends the keeping: the process is not started again.
func (k *kubelet) stop() {
	k.end()
	k.running.Wait()
}

// sidecarPod is a pod with our sidecar, which runs the work as its command.
type sidecarPod struct {
	*harness.Sidecar
	kubelet *kubelet
	proxy   *harness.Proxy
	work    *harness.Work
	mu      sync.Mutex // guards the process against being replaced
}

func (c *trial) startSidecar(t *testing.T, name string) pod {
	p := &sidecarPod{Sidecar: c.election.Prepare(t, name), proxy: c.arena.storm.Proxy(t), work: c.work}
	p.Kubeconfig = c.election.Access.Kubeconfig(t, p.proxy.Host())
	p.Binary = c.kind.binary(t)
	p.Args = append(p.Args, "--log-level", "info", "--") // the last level counts: the default, not the tests' own
	p.Args = append(p.Args, c.work.Command(t, name, nil, "-child")...)
	p.Start(t, c.election)
	p.kubelet = newKubelet(func() <-chan struct{} { return p.process().Exited() }, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.Start(t, c.election)
	})
	t.Cleanup(p.kubelet.stop)
	return p
}

func (p *sidecarPod) process() *harness.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Process
}

func (p *sidecarPod) leads() bool {
	leads, _ := p.Leads()
	return leads
}

func (p *sidecarPod) ready() bool { return p.ProbeStatus("/readyz") == http.StatusOK }

func (p *sidecarPod) killPod(*testing.T) {
	p.kubelet.stop()
	sidecar := p.process()
	for _, pid := range append([]int{sidecar.PID()}, harness.Descendants(sidecar.PID())...) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-sidecar.Exited()
}

func (p *sidecarPod) killElector(t *testing.T) { kill(t, p.process()) }

func (p *sidecarPod) killApp(t *testing.T) {
	if p.work.Kill(t, p.Pod) == 0 {
		t.Errorf("%s leads and runs no command", p.Pod)
	}
}

func (p *sidecarPod) terminate(t *testing.T) {
	p.kubelet.stop()
	terminate(t, p.process())
}

func (p *sidecarPod) line() *harness.Proxy { return p.proxy }

// peerPod is a pod with a program that uses client-go's elector and works while it leads.
type peerPod struct {
	*harness.Peer
	kubelet *kubelet
	proxy   *harness.Proxy
	mu      sync.Mutex // guards the process against being replaced
}

func (c *trial) startPeer(t *testing.T, name string) pod {
	p := &peerPod{proxy: c.arena.storm.Proxy(t)}
	p.Peer = c.election.StartPeer(t, name, harness.PeerOptions{
		LeaseDuration: c.kind.duration, RenewDeadline: c.kind.deadline, RetryPeriod: c.kind.retry, ReleaseOnCancel: true,
		FreshIdentity: true, Kubeconfig: c.election.Access.Kubeconfig(t, p.proxy.Host()),
	})
	p.kubelet = newKubelet(func() <-chan struct{} { return p.process().Exited() }, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.Start(t)
	})
	t.Cleanup(p.kubelet.stop)
	return p
}

func (p *peerPod) process() *harness.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Process
}

func (p *peerPod) leads() bool {
	leads, _ := p.Leads()
	return leads
}

// ready: a program of client-go's does not say so; what is there campaigns.
func (p *peerPod) ready() bool { return p.process().Alive() }

func (p *peerPod) killPod(t *testing.T) {
	p.kubelet.stop()
	kill(t, p.process())
}

// killElector and killApp are the same: one process campaigns and works.
func (p *peerPod) killElector(t *testing.T) { kill(t, p.process()) }
func (p *peerPod) killApp(t *testing.T)     { kill(t, p.process()) }

func (p *peerPod) terminate(t *testing.T) {
	p.kubelet.stop()
	terminate(t, p.process())
}

func (p *peerPod) line() *harness.Proxy { return p.proxy }

func kill(t *testing.T, p *harness.Process) {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-p.Exited()
}

func terminate(t *testing.T, p *harness.Process) {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
		return
	}
	select {
	case <-p.Exited():
	case <-time.After(slack + 15*time.Second):
		t.Errorf("%s does not end; the end of its log:\n%s", p.Name, p.Tail(10))
	}
}
