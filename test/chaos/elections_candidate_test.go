//go:build linux

package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// candidate is the i-th of ours and the i-th of theirs: whatever befalls the one befalls the other.
type candidate struct {
	index              int
	ourLine, theirLine *harness.Proxy
	// pod holds all processes of both.
	pod *harness.Cgroup
	// clock is the pretended machine of ours; nil where it has none.
	clock *harness.ClockFile

	mu     sync.Mutex // guards the processes against being replaced
	ours   *harness.Sidecar
	theirs *harness.Peer
	// down: theirs is not to be started again for now.
	down bool
}

// ourName and theirName are the candidates' names, by index.
func ourName(i int) string   { return fmt.Sprintf("web-%d", i) }
func theirName(i int) string { return fmt.Sprintf("peer-%d", i) }

// leads reports whether the candidate of that side publishes now that it leads.
func (c *candidate) leads(side Target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	leads, _ := c.theirs.Leads()
	if side == OurLeader {
		leads, _ = c.ours.Leads()
	}
	return leads
}

// lines does the same to both lines.
func (c *candidate) lines(do func(*harness.Proxy)) {
	do(c.ourLine)
	do(c.theirLine)
}

// signal sends a process signal to both, one right after the other. Theirs may have ended by itself.
func (c *candidate) signal(t *testing.T, s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.theirs.Signal(s)
	if err := c.ours.Signal(s); err != nil {
		t.Errorf("%v; the end of its log:\n%s", err, c.ours.Tail(10))
	}
}

// freeze stops the whole pods.
func (c *candidate) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pod.Add(c.theirs.PID()) // ours was born in it
	c.pod.Freeze()
}

// stepDown asks ours to hand over. Theirs knows no such thing: its way to hand over is to be restarted.
func (c *candidate) stepDown(t *testing.T) {
	c.setDown(true)
	c.mu.Lock()
	_ = c.theirs.Signal(syscall.SIGTERM)
	status := c.ours.Post("/step-down")
	theirs := c.theirs.Process
	c.mu.Unlock()
	if status != http.StatusAccepted && status != http.StatusConflict { // it leads, or it does not
		t.Errorf("POST /step-down on %s: status %d", ourName(c.index), status)
	}
	awaitExit(t, theirs)
	c.setDown(false)
}

// end sends both a signal that ends them and waits until they have ended.
func (c *candidate) end(t *testing.T, s syscall.Signal) {
	c.setDown(true)
	c.signal(t, s)
	c.mu.Lock()
	ours, theirs := c.ours.Process, c.theirs.Process
	c.mu.Unlock()
	awaitExit(t, ours)
	awaitExit(t, theirs)
}

// start starts both again, in the same pods.
func (c *candidate) start(t *testing.T, e *harness.Election) {
	defer c.setDown(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ours.Start(t, e)
}

func (c *candidate) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// supervise starts theirs again whenever it has ended by itself, at once and for ever, which is kinder than a
// kubelet's back-off. Ours does not end by itself: that is a fault.
func (c *candidate) supervise(t *testing.T, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		if !c.down && !c.theirs.Alive() {
			c.theirs.Start(t)
		}
		c.mu.Unlock()
	}
}

// weigh says what the process of ours holds.
func (c *candidate) weigh() resources {
	c.mu.Lock()
	defer c.mu.Unlock()
	return weigh(c.ours.PID())
}
