package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errNoGuard is why a program cannot be run now.
var errNoGuard = errors.New("the guard process has ended: it is being started again")

// Config says what to run.
type Config struct {
	// Command is the program and its arguments.
	Command []string
	// KillMargin is the election's: by so long after validUntil the program must be dead. It is killed after half of it.
	KillMargin time.Duration
	// StopTimeout is how long a program gets to stop in a planned handover, for as long as the hold is renewed.
	StopTimeout time.Duration
	// Clock is the machine's own: the guard reads that one, too.
	Clock bootclock.Clock
	// Ended is called when the program ended while this replica led, or could not be started. It must return at once.
	Ended func(End)
	// Log takes starts and ends.
	Log *slog.Logger
}

// End is how a program ended.
type End struct {
	guard.End
	// Ran is how long it ran.
	Ran time.Duration
}

// Child runs a program while this replica leads. Make it with [New], drive it with [Child.Run], end it with
// [Child.Close].
type Child struct {
	cfg Config

	mu      sync.Mutex
	guard   *guard.Guard // nil while there is none
	report  guard.Report // the newest
	changed chan struct{}
	term    string            // what the program is to run for; "" for nothing
	ran     string            // the newest term that it was to run for
	ending  killtime.Stop     // of that term's program, once it has been told to stop
	spent   string            // the term in which it has ended
	until   bootclock.Instant // the newest validUntil while leading
	order   uint64            // the number of the newest order
	begun   bootclock.Instant // when the program was last seen to start
	status  int               // of the last program that ended
	swept   bool              // nothing lives that a lost guard has left
	poke    chan struct{}     // has room for one: there is something new to watch
}

var _ sight.Sight = (*Child)(nil)

// New starts the guard, which waits for orders.
func New(cfg Config) (*Child, error) {
	c := &Child{cfg: cfg, changed: make(chan struct{}), swept: true, poke: make(chan struct{}, 1)}
	if err := guard.Subreaper(); err != nil {
		return nil, err
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	return c, nil
}

// open starts a guard.
func (c *Child) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, err := guard.Start(guard.Config{Command: c.cfg.Command, Report: c.heard})
	if err != nil {
		return fmt.Errorf("run %s: %w", c.cfg.Command[0], err)
	}
	c.guard, c.report, c.order, c.swept = g, guard.Report{}, 0, true
	return nil
}

// Name returns "child".
func (*Child) Name() string { return "child" }

// Apply hands the level to the guard, which acts on it.
func (c *Child) Apply(_ context.Context, l leadership.Leadership) error {
	l = l.At(c.cfg.Clock.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !l.IsLeader:
		return c.stop(l)
	case l.Token == c.spent:
		return nil // the term is being given up
	}
	return c.run(l)
}

func (c *Child) run(l leadership.Leadership) error {
	if c.guard == nil {
		return errNoGuard
	}
	c.until = max(c.until, l.ValidUntil)
	c.term = l.Token
	if c.ran != l.Token {
		c.ran, c.ending = l.Token, killtime.Stop{}
	}
	return c.say(c.guard.Run(guard.Term{Token: l.Token, Env: environment(l), Until: l.ValidUntil, Kill: c.rule().After(l.ValidUntil)}))
}

// stop ends the program, if there is one. The guard is told each deadline: one that hears nothing more keeps the last.
func (c *Child) stop(l leadership.Leadership) error {
	idle := c.term == "" && c.gone()
	c.term = ""
	switch {
	case idle:
		return nil
	case c.guard == nil:
		return errNoGuard // what it left is being killed
	}
	c.ending = c.rule().Next(c.ending, c.cfg.Clock.Now(), c.until, l)
	return c.say(c.guard.Stop(c.ran, c.ending.At))
}

// say notes an order's number.
func (c *Child) say(number uint64, err error) error {
	if err == nil {
		c.order = number
	}
	c.rouse()
	return err
}

// rouse has Run look at what there is to watch.
func (c *Child) rouse() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

func (c *Child) rule() killtime.Rule {
	return killtime.Rule{StopTimeout: c.cfg.StopTimeout, KillMargin: c.cfg.KillMargin}
}

// gone reports whether nothing of the program lives, as of the newest order.
func (c *Child) gone() bool {
	if c.guard == nil {
		return c.swept
	}
	return c.report.Taken >= c.order && !c.report.Alive
}

// heard takes the guard's reports.
func (c *Child) heard(r guard.Report) {
	c.mu.Lock()
	now := c.cfg.Clock.Now()
	var own *End
	if r.PID != 0 && r.PID != c.report.PID {
		c.begun = now
		c.cfg.Log.Info("the command runs", "pid", r.PID, "token", c.term)
	}
	if e := r.Ended; e != nil && (c.report.Ended == nil || *c.report.Ended != *e) {
		c.status = e.Status
		end := End{End: *e}
		if e.Fault == "" {
			end.Ran = now.Sub(c.begun)
		}
		c.cfg.Log.Info("the command has ended", "status", e.Status, "signal", int(e.Signal), "token", e.Token,
			"told_to_stop", e.Ordered, "ran", end.Ran, "error", e.Fault)
		if e.Token == c.term {
			own, c.spent, c.term = &end, e.Token, ""
		}
	}
	c.report = r
	c.progress()
	c.rouse()
	c.mu.Unlock()
	if own != nil {
		c.cfg.Ended(*own)
	}
}

// progress wakes whoever waits. The lock is held.
func (c *Child) progress() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// State returns Running until the program and all its descendants are gone, as the guard has seen by the newest order, and
// Stopped then.
func (c *Child) State(bool) sight.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone() {
		return sight.Stopped
	}
	return sight.Running
}

// Kills returns true: what has not stopped in time is killed.
func (*Child) Kills() bool { return true }

// Watch calls changed at each news from the guard, until ctx ends.
func (c *Child) Watch(ctx context.Context, changed func()) {
	for {
		c.mu.Lock()
		news := c.changed
		c.mu.Unlock()
		changed() // at first, too: what came before has been missed
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// awaitStop returns nil once the program and all its descendants are gone, or ctx's error when it ends first.
func (c *Child) awaitStop(ctx context.Context) error {
	for {
		c.mu.Lock()
		gone, changed := c.gone(), c.changed
		c.mu.Unlock()
		if gone {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Status returns the exit status of the last program that ended; 0 before the first.
func (c *Child) Status() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Forward sends a process signal to the program's group; nothing happens while it does not run.
func (c *Child) Forward(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.guard == nil {
		return nil
	}
	return c.guard.Forward(s)
}
