package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// errNoGuard is returned while no guard process exists to run the command.
var errNoGuard = errors.New("the guard process has ended: it is being started again")

// Config says what to run. All fields but Exit are required.
type Config struct {
	// Command is the program and its arguments.
	Command []string
	// KillMargin is the election's: the command must be dead so long after validUntil, and is killed after half of it.
	KillMargin time.Duration
	// StopTimeout is how long the command has to stop in a planned handover, while the Lease is renewed.
	StopTimeout time.Duration
	// Clock must be the machine's boot clock, which the guard reads too.
	Clock bootclock.Clock
	// Election is asked to step down when the command ends in its term or cannot start.
	Election Election
	// Exit ends the sidecar when the command ends by itself. If nil, the replica steps down, pauses, and campaigns again.
	Exit func(cause error)
	// Log records starts and ends of the command.
	Log *slog.Logger
}

// Child runs a command while this replica leads. Make it with [New], drive it with [Child.Run], end it with [Child.Close].
type Child struct {
	cfg       Config
	ends      chan end      // buffered, one slot: the command ended in its term
	attention chan struct{} // buffered, one slot: watchGuard has something new to look at
	abandoned chan struct{} // closed when Close must not wait any longer
	abandon   func()
	close     func()
	killLeft  func(context.Context) error // kills what a lost guard left; [guard.Sweep] except in tests

	mu      sync.Mutex
	guard   *guard.Guard // nil while there is none
	report  guard.Report // the newest
	changed chan struct{}
	term    string            // the term the command should run for; "" for none
	ran     string            // the latest term it was to run for
	ending  killtime.Stop     // the stop of that term's command
	left    bootclock.Instant // by then the guard must have killed the command of an earlier term; zero: nothing of one is alive
	spent   string            // the latest term in which the command ended
	until   bootclock.Instant // the latest validUntil while leading
	order   uint64            // the number of the latest order to the guard
	begun   bootclock.Instant // when the command was last seen to start
	longest time.Duration     // the longest run of the command since it last ended by itself
	status  int               // of the last command that ended
	swept   bool              // nothing that a lost guard left is alive
}

var _ signals.Signal = (*Child)(nil)

// New starts the guard process. The command starts with the first Apply that leads.
func New(cfg Config) (*Child, error) {
	c := &Child{
		cfg: cfg, ends: make(chan end, 1), attention: make(chan struct{}, 1), abandoned: make(chan struct{}),
		changed: make(chan struct{}), killLeft: guard.Sweep, swept: true,
	}
	c.abandon = sync.OnceFunc(func() { close(c.abandoned) })
	c.close = sync.OnceFunc(c.shutDown)
	if err := procfs.Subreaper(); err != nil {
		return nil, err
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Child) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, err := guard.Start(guard.Config{Command: c.cfg.Command, Report: c.reported})
	if err != nil {
		return fmt.Errorf("run %s: %w", c.cfg.Command[0], err)
	}
	c.guard, c.report, c.order, c.left, c.swept = g, guard.Report{}, 0, 0, true
	return nil
}

// Run forwards process signals, acts on ends of the command, and watches the guard, until ctx ends.
func (c *Child) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { c.forward(ctx) })
	running.Go(func() { c.watchGuard(ctx) })
	policy := endPolicy{election: c.cfg.Election, exit: c.cfg.Exit, log: c.cfg.Log}
	timer := c.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		timer.Reset(policy.until)
		select {
		case e := <-c.ends:
			policy.ended(c.cfg.Clock.Now(), e)
		case <-timer.C():
			policy.expire(c.cfg.Clock.Now())
		case <-ctx.Done():
			return
		}
	}
}

// Name returns "child".
func (*Child) Name() string { return "child" }

// Apply orders the guard to run or stop the command, and returns once the guard has the order. See [Child.State].
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
	if c.ran != l.Token {
		if c.left.IsZero() && !c.gone() {
			c.left = c.late() // a new term is no reprieve for what the last one has left
		}
		c.ran, c.ending = l.Token, killtime.Stop{}
	}
	c.until = max(c.until, l.ValidUntil)
	c.term = l.Token
	return c.ordered(c.guard.Run(guard.Term{Token: l.Token, Env: environment(l), Until: l.ValidUntil, Kill: c.rule().After(l.ValidUntil)}))
}

// stop orders the guard to stop the command. Later orders can move the kill deadline; without one, the last deadline stands.
func (c *Child) stop(l leadership.Leadership) error {
	idle := c.term == "" && c.gone()
	c.term = ""
	switch {
	case idle:
		return nil
	case c.guard == nil:
		return errNoGuard // its leftovers are being killed
	}
	c.ending = c.rule().Next(c.ending, c.cfg.Clock.Now(), c.until, l)
	return c.ordered(c.guard.Stop(c.ran, c.ending.At))
}

func (c *Child) ordered(number uint64, err error) error {
	if err == nil {
		c.order = number
	}
	c.attend()
	return err
}

// attend wakes watchGuard.
func (c *Child) attend() {
	select {
	case c.attention <- struct{}{}:
	default:
	}
}

func (c *Child) rule() killtime.Rule {
	return killtime.Rule{StopTimeout: c.cfg.StopTimeout, KillMargin: c.cfg.KillMargin}
}
