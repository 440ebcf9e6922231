package child

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
)

// The range of real-time signals that no C library reserves.
const (
	firstRealTime = syscall.Signal(35)
	lastRealTime  = syscall.Signal(64)
)

// forwarded returns the process signals for the command: all except those that end the sidecar (TERM, INT), belong to a
// terminal's job control or to the Go runtime, and HUP and QUIT if they were ignored at the start.
func forwarded() []os.Signal {
	all := []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT} {
		if !slices.Contains(guard.Ignored(), s) {
			all = append(all, s)
		}
	}
	for s := firstRealTime; s <= lastRealTime; s++ {
		all = append(all, s)
	}
	return all
}

// forward sends those signals to the command's process group until ctx ends. It does nothing while the command does not run.
func (c *Child) forward(ctx context.Context) {
	incoming := make(chan os.Signal, 16)
	signal.Notify(incoming, forwarded()...)
	defer signal.Stop(incoming)
	for {
		select {
		case s := <-incoming:
			c.mu.Lock()
			if c.guard != nil {
				_ = c.guard.Forward(s.(syscall.Signal)) // an error means that the guard takes no orders: watchGuard handles that
			}
			c.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}
