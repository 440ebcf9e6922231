package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// guards holds the pids of this process's guards, which [Sweep] passes by with all that they keep.
var guards sync.Map

// reapPause is the time between looks for zombies, and what it takes to be one that nobody waits for.
const reapPause = time.Second

// Subreaper makes this process the parent of every orphan below it: what a guard that died has left.
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the subreaper of what a guard may leave: %w", err)
	}
	return nil
}

// Sweep kills what guards that died have left: all descendants of this process but its guards and what is below them.
// It returns nil once none of them lives, and why they could not be killed when ctx ends first.
func Sweep(ctx context.Context) error {
	for {
		left, err := strays()
		living := 0
		if err == nil {
			living, err = strikeAll(left, syscall.SIGKILL)
		}
		if living == 0 && err == nil {
			return nil
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(fmt.Errorf("kill what the guard left: %d processes live: %w", living, context.Cause(ctx)), err)
		}
	}
}

// strays returns the descendants that no living guard keeps.
func strays() ([]procfs.Process, error) {
	all, err := descendants(os.Getpid())
	if err != nil {
		return nil, err
	}
	kept := map[int]bool{}
	return slices.DeleteFunc(all, func(p procfs.Process) bool { // parents come before their children
		_, guard := guards.Load(p.PID)
		kept[p.PID] = guard || kept[p.Parent]
		return kept[p.PID]
	}), nil
}

// Reap collects zombies that this process has inherited, as a subreaper or as pid 1, until ctx ends. A child that
// somebody here waits for is collected by them at once; so a zombie that is still there at a second look is an orphan.
func Reap(ctx context.Context) {
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, syscall.SIGCHLD)
	defer signal.Stop(deaths)
	suspects := map[procfs.ID]bool{}
	again := time.After(reapPause) // nil while there is nothing to look for
	for {
		select {
		case <-deaths:
			if again == nil {
				again = time.After(reapPause)
			}
		case <-again:
			again = nil
			if suspects = reap(suspects); len(suspects) > 0 {
				again = time.After(reapPause)
			}
		case <-ctx.Done():
			return
		}
	}
}

// reap collects the zombies among this process's children that were suspects before, and returns the new suspects.
func reap(before map[procfs.ID]bool) map[procfs.ID]bool {
	zombies, err := procfs.Zombies(os.Getpid())
	if err != nil {
		return before
	}
	suspects := map[procfs.ID]bool{}
	for _, zombie := range zombies {
		switch _, guard := guards.Load(zombie.PID); {
		case guard:
		case before[zombie]:
			_, _ = unix.Wait4(zombie.PID, nil, unix.WNOHANG, nil) // an error means that it has been collected
		default:
			suspects[zombie] = true
		}
	}
	return suspects
}
