package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// workUnit is how long the toy's piece of work takes: it looks at its signal before each.
	workUnit = 5 * time.Millisecond
	// idleLook is how often it looks while it has nothing to do.
	idleLook = 2 * time.Millisecond
)

// workReport is what the toy says of itself, a line of JSON each time, on the boot clock.
type workReport struct {
	At      bootclock.Instant `json:"at"`
	Working bool              `json:"working"`
	Token   string            `json:"token"`
	Units   int               `json:"units"`
}

// Toy is a workload that works only while the signal directory says that this replica leads. A real one does the same: it
// looks before each piece of work, and holds the run lock as long as there is any.
type Toy struct {
	// Dir is the signal directory.
	Dir string
	// Out takes a report, a line each.
	Out io.Writer
}

// Run works until ctx ends. It returns an error where it cannot take the run lock, or nobody reads its reports any more.
func (t Toy) Run(ctx context.Context) (err error) {
	var r workReport
	var lock *os.File // held while it works
	for ctx.Err() == nil && err == nil {
		l, unread := leadership.Read(t.Dir)
		switch leads := unread == nil && l.IsLeader; {
		case !leads:
			err = t.rest(&r, lock)
			lock = nil
			pause(ctx, idleLook)
		case lock == nil: // and look again: the sidecar sees the work from now on, and not before
			lock, err = t.hold()
		default:
			r = workReport{At: now(), Working: true, Token: l.Token, Units: r.Units + 1}
			err = t.report(r)
			pause(ctx, workUnit) // the work itself
		}
	}
	if err != nil {
		return err
	}
	return t.rest(&r, lock)
}

// hold takes the run lock, by whose end the sidecar sees that the work has stopped.
func (t Toy) hold() (*os.File, error) {
	lock, err := os.Open(filepath.Join(t.Dir, "run.lock"))
	if err != nil {
		return nil, fmt.Errorf("open the run lock: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH); err != nil {
		_ = lock.Close() // the fault is reported
		return nil, fmt.Errorf("take the run lock: %w", err)
	}
	return lock, nil
}

// rest reports that the work has stopped, if there was any, and then lets go of the lock: another replica may start at once.
func (t Toy) rest(r *workReport, lock *os.File) (err error) {
	if r.Working {
		r.At, r.Working, r.Token = now(), false, ""
		err = t.report(*r)
	}
	if lock != nil {
		_ = lock.Close() // it was only read
	}
	return err
}

func (t Toy) report(r workReport) error {
	if err := json.NewEncoder(t.Out).Encode(r); err != nil {
		return fmt.Errorf("report the toy's work: %w", err)
	}
	return nil
}
