package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Config says how to show the play.
type Config struct {
	// Self is the program to run as sidecar and as toy: this one.
	Self string
	// Out takes the show: a live table where Live is set, else plain lines.
	Out  io.Writer
	Live bool
	// Colour allows colours in the live table.
	Colour bool

	patience time.Duration // with a move that does not come; 0 is enough for a slow machine
}

// replicaNames are three, as many as a workload that matters has.
var replicaNames = []string{"toy-a", "toy-b", "toy-c"}

// play is one performance.
type play struct {
	replicas []*replica
	witness  *witness
	clock    bootclock.System
	show     show
	moves    []move
	patience time.Duration
}

// show is how the audience sees the play.
type show interface {
	// announce says what is about to be done, to whom.
	announce(how, whom string)
	// moved shows a move that has happened.
	moved(move)
	// run keeps the show going until ctx ends; it may do nothing.
	run(ctx context.Context, w *witness)
	// end closes the show with the verdict.
	end(verdict, []move)
}

// Run plays all scenes. It returns an error where two replicas were told that they lead, or were at work, at once,
// where a move did not happen, and where ctx ended the play early. Every process that it started has been reaped,
// and its directory is gone, when it returns.
func Run(ctx context.Context, cfg Config) (err error) {
	root, err := os.MkdirTemp("", "lease-sidecar-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if err := os.Mkdir(filepath.Join(root, "store"), 0o755); err != nil {
		return fmt.Errorf("make the demo's store: %w", err)
	}
	p, err := newPlay(cfg, root)
	if err != nil {
		return err
	}
	defer func() {
		failed := err != nil && ctx.Err() == nil
		err = errors.Join(err, p.close())
		if failed {
			p.showLogs(cfg.Out)
		}
	}()
	return p.run(ctx)
}

func newPlay(cfg Config, root string) (*play, error) {
	p := &play{show: plain{out: cfg.Out}, patience: cmp.Or(cfg.patience, moveTime)}
	for _, name := range replicaNames {
		r, err := newReplica(name, root, cfg.Self)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.replicas = append(p.replicas, r)
	}
	p.witness = newWitness(p.replicas)
	if cfg.Live {
		p.show = newScreen(cfg.Out, cfg.Colour, replicaNames)
	}
	return p, nil
}

// run plays beside the witness and the show, and joins both.
func (p *play) run(ctx context.Context) error {
	watching, done := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { p.witness.watch(watching) })
	others.Go(func() { p.show.run(watching, p.witness) })
	err := p.performAll(ctx)
	done()
	others.Wait()

	v := p.witness.verdict()
	p.show.end(v, p.moves)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, v.err())
}

func (p *play) performAll(ctx context.Context) error {
	began := p.clock.Now()
	for _, r := range p.replicas {
		if err := r.start(); err != nil {
			return err
		}
	}
	p.announce("three replicas start", "all")
	if err := p.first(ctx, began); err != nil {
		return fmt.Errorf("first election: %w", err)
	}
	for _, s := range scenes {
		p.awaitAll(ctx)
		pause(ctx, breath)
		if err := p.perform(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.how, err)
		}
	}
	pause(ctx, breath)
	return ctx.Err()
}

func (p *play) announce(how, whom string) { p.show.announce(how, whom) }

func (p *play) moved(m move) {
	p.moves = append(p.moves, m)
	p.show.moved(m)
}

func (p *play) close() error {
	var faults []error
	for _, r := range p.replicas {
		faults = append(faults, r.close())
	}
	return errors.Join(faults...)
}

// showLogs prints the end of each sidecar's log, for a play that went wrong.
func (p *play) showLogs(out io.Writer) {
	const tail = 2000
	for _, r := range p.replicas {
		text, err := os.ReadFile(r.log.Name())
		if err != nil {
			continue
		}
		fmt.Fprintf(out, "--- log of %s\n%s\n", r.name, text[max(0, len(text)-tail):])
	}
}

// rounded makes a time pleasant to read: milliseconds below a second, hundredths above.
func rounded(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
