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
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// guards holds the pids of this process's guards. [Sweep] spares them and their descendants.
var guards sync.Map

// reapPause is the time between looks for zombies. Nobody waits for a zombie that is seen twice.
const reapPause = time.Second

// Sweep kills what dead guards left: all descendants of this process except guards and their descendants. It returns nil
// once none is alive; if ctx ends first, it returns why they could not be killed.
func Sweep(ctx context.Context) error {
	for {
		left, err := strays()
		living := 0
		if err == nil {
			living, err = procfs.SignalAll(left, syscall.SIGKILL)
		}
		if living == 0 && err == nil {
			return nil
		}
		if ended := bootclock.Sleep(ctx, bootclock.System{}, killRound); ended != nil {
			return errors.Join(fmt.Errorf("kill what the guard left: %d processes live: %w", living, ended), err)
		}
	}
}

// strays returns the descendants of this process that are not below a guard.
func strays() ([]procfs.Process, error) {
	all, err := procfs.Descendants(os.Getpid())
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

// Reap collects zombies that this process has inherited, as a subreaper or pid 1, until ctx ends. A child that somebody
// waits for is collected at once, so a zombie that is still there at a second look is an orphan.
func Reap(ctx context.Context) {
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, syscall.SIGCHLD)
	defer signal.Stop(deaths)
	clock := bootclock.System{}
	timer := clock.NewTimer()
	defer timer.Stop()
	suspects := map[procfs.ID]bool{}
	for next := clock.Now().Add(reapPause); ; { // zero while there is nothing to look for
		timer.Reset(next)
		select {
		case <-deaths:
			if next.IsZero() {
				next = clock.Now().Add(reapPause)
			}
		case <-timer.C():
			now := clock.Now()
			if next.IsZero() || now.Before(next) {
				continue
			}
			next = 0
			if suspects = reap(suspects); len(suspects) > 0 {
				next = now.Add(reapPause)
			}
		case <-ctx.Done():
			return
		}
	}
}

// reap collects the zombie children that were suspects before, and returns the new suspects.
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
			_, _ = unix.Wait4(zombie.PID, nil, unix.WNOHANG, nil) // an error means that it was collected
		default:
			suspects[zombie] = true
		}
	}
	return suspects
}
