package child

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
)

// firstRealTime and lastRealTime are the real-time signals that no C library keeps for itself.
const (
	firstRealTime = syscall.Signal(35)
	lastRealTime  = syscall.Signal(64)
)

// forwarded returns the process signals that are meant for the command: all but those that end the sidecar (TERM, INT), that
// a terminal's job control sends, that belong to the Go runtime, and HUP and QUIT where they were ignored at the start.
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

// forward sends the process signals that are meant for the command to its process group, until ctx ends. Nothing happens
// while the command does not run.
func (c *Child) forward(ctx context.Context) {
	incoming := make(chan os.Signal, 16)
	signal.Notify(incoming, forwarded()...)
	defer signal.Stop(incoming)
	for {
		select {
		case s := <-incoming:
			c.mu.Lock()
			if c.guard != nil {
				_ = c.guard.Forward(s.(syscall.Signal)) // watchGuard deals with a guard that takes no orders
			}
			c.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}
