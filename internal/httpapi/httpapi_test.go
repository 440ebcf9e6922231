package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ signals.Signal = (*Feed)(nil)

var quiet = slog.New(slog.DiscardHandler)

// handClock is a clock that a test moves by hand.
type handClock struct {
	mu  sync.Mutex
	now bootclock.Instant
}

func newClock() *handClock { return &handClock{now: 812e9} }

func (c *handClock) Now() bootclock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) Wall() time.Time {
	return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(c.Now().Sub(812e9))
}

// NewTimer returns a timer that looks at this clock.
func (c *handClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bubbleClock is the clock of a synctest bubble.
type bubbleClock struct{}

func (bubbleClock) Now() bootclock.Instant { return bootclock.Instant(time.Now().UnixNano()) }
func (bubbleClock) Wall() time.Time        { return time.Now() }

// NewTimer returns a timer that looks at this clock.
func (c bubbleClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, time.Hour) }

// stuck is an election whose loop has stopped turning: it says for ever what it was set to, whatever the clock says,
// and so shows what the surfaces judge by themselves. The real one is in TestElectionOverHTTP.
type stuck struct {
	mu      sync.Mutex
	level   leadership.Leadership
	unready string // why it could not lead
	turns   bool   // its loop does, after all
	ordered []string
}

func (e *stuck) Leadership() leadership.Leadership {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.level
}

func (e *stuck) StepDown(cause string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.level.IsLeader {
		return elector.ErrNotLeading
	}
	e.ordered = append(e.ordered, cause)
	return nil
}

func (e *stuck) Ready() error {
	if e.unready != "" {
		return errors.New(e.unready)
	}
	return nil
}

func (e *stuck) Alive(ctx context.Context) error {
	if e.turns {
		return nil
	}
	<-ctx.Done()
	return elector.ErrNotRunning
}

// leads is a level of a term that ends 10 s after the clock's time.
func leads(c bootclock.Clock, token string) leadership.Leadership {
	return leadership.Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_id", BootID: "boot",
		IsLeader: true, Leader: "web-5d9", Token: token, Transitions: 7, Since: c.Wall(),
		ValidUntil: c.Now().Add(10 * time.Second), ValidUntilWall: c.Wall().Add(10 * time.Second),
	}
}

func standsBy(leader string) leadership.Leadership {
	return leadership.Leadership{
		Lease: "acme-752b7817f6", Namespace: "default", Identity: "web-5d9_id", BootID: "boot", Leader: leader, Transitions: 8,
	}
}

// drains is what a level says in a handover whose hold ends 10 s after the clock's time.
func drains(c bootclock.Clock) leadership.Leadership {
	l := leads(c, "")
	l.IsLeader, l.Since = false, time.Time{}
	return l
}
