package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// workUnit is how long the toy's piece of work takes: it looks at its signal before each.
	workUnit = 5 * time.Millisecond
	// idleLook is how often it looks while it has nothing to do.
	idleLook = 2 * time.Millisecond
	// drainedTime bounds the report that it has stopped.
	drainedTime = time.Second
)

// workReport is what the toy says of itself, a line of JSON each time, on the boot clock.
type workReport struct {
	At      bootclock.Instant `json:"at"`
	Working bool              `json:"working"`
	Token   string            `json:"token"`
	Units   int               `json:"units"`
}

// Toy is a workload that works only while the signal directory says that this replica leads. A real one does the same: it
// looks before each piece of work, and says when it has stopped.
type Toy struct {
	// Dir is the signal directory.
	Dir string
	// Drained reports to the sidecar that the work has stopped.
	Drained func(context.Context) error
	// Out takes a report, a line each.
	Out io.Writer
}

// Run works until ctx ends. It returns an error only where nobody reads its reports any more.
func (t Toy) Run(ctx context.Context) (err error) {
	r := workReport{}
	for ctx.Err() == nil && err == nil {
		l, unread := leadership.Read(t.Dir)
		if leads := unread == nil && l.IsLeader; leads {
			r = workReport{At: now(), Working: true, Token: l.Token, Units: r.Units + 1}
			err = t.report(r)
			pause(ctx, workUnit) // the work itself
		} else {
			err = t.rest(ctx, &r)
			pause(ctx, idleLook)
		}
	}
	if err != nil {
		return err
	}
	return t.rest(context.WithoutCancel(ctx), &r)
}

// rest stops the work, if there is any, and only then reports it, because the sidecar may release at once.
func (t Toy) rest(ctx context.Context, r *workReport) error {
	if !r.Working {
		return nil
	}
	r.At, r.Working, r.Token = now(), false, ""
	if err := t.report(*r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, drainedTime)
	defer cancel()
	_ = t.Drained(ctx) // a sidecar that is dead, frozen or drains nothing has no use for it
	return nil
}

func (t Toy) report(r workReport) error {
	if err := json.NewEncoder(t.Out).Encode(r); err != nil {
		return fmt.Errorf("report the toy's work: %w", err)
	}
	return nil
}
