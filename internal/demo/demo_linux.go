// Package demo runs an election on this machine with no cluster: three real sidecars, each beside a toy workload, on one
// directory store. It moves leadership in several ways, planned and by faults, and a witness with one clock watches what every
// workload sees. The package is for Linux.
//
// It promises a verdict that rests on what was seen: the time during which two replicas saw "leader", or were at work, at once.
// A look each few milliseconds can miss a shorter overlap, but never counts one that did not happen. It does not promise that a
// cluster behaves so: the store is a directory, and all replicas share one machine and its clock.
//
//	steps ──signals, step-down──▶ replica (sidecar + toy) ──files, HTTP, work──▶ witness ──▶ view, verdict
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Config says how to show the demo.
type Config struct {
	// Self is the program to run as sidecar and as toy: this one.
	Self string
	// Program is how the user calls it, such as "bin/lease-sidecar".
	Program string
	// Out takes the output: a live picture where Size is set, else plain lines.
	Out io.Writer
	// Size returns the columns and rows of the terminal that Out is; nil where it is none, or one that only prints.
	Size func() (columns, rows int)
	// Colour allows colours in the live picture.
	Colour bool

	moveTimeout time.Duration // how long a move is waited for; 0: long enough for a slow machine
}

// replicaNames are three, the usual number for a workload that must not fail.
var replicaNames = []string{"toy-a", "toy-b", "toy-c"}

type demo struct {
	replicas    []*replica
	screen      *screen
	moveTimeout time.Duration
}

// Run runs all steps. It returns an error where two replicas led or worked at once, where a move did not happen, and where ctx
// ended the run early. Every process that it started has been reaped, and its directory is gone, when it returns.
func Run(ctx context.Context, cfg Config) (err error) {
	root, err := os.MkdirTemp("", "lease-sidecar-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	d := &demo{screen: newScreen(cfg), moveTimeout: cmp.Or(cfg.moveTimeout, moveTime)}
	defer func() {
		failed := err != nil && ctx.Err() == nil
		for _, r := range d.replicas {
			err = errors.Join(err, r.close())
			if failed {
				r.showLog(cfg.Out)
			}
		}
	}()
	for _, name := range replicaNames {
		r, err := newReplica(name, root, cfg.Self)
		if err != nil {
			return err
		}
		d.replicas = append(d.replicas, r)
	}
	return d.run(ctx)
}

// run runs the steps beside the witness and the screen, and joins both.
func (d *demo) run(ctx context.Context) error {
	d.screen.begin()
	watching, done := context.WithCancel(ctx)
	var others sync.WaitGroup
	for _, r := range d.replicas {
		others.Go(func() { r.watch(watching) })
	}
	others.Go(func() { d.screen.run(watching, d.replicas) })
	err := d.runSteps(ctx)
	done()
	others.Wait()

	v := judge(d.replicas, len(d.screen.moves))
	d.screen.end(v)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, v.err())
}

func (d *demo) runSteps(ctx context.Context) error {
	began := now()
	for _, r := range d.replicas {
		if err := r.start(); err != nil {
			return err
		}
	}
	d.screen.announce(firstStep)
	leader, since, err := d.awaitLeader(ctx, nil)
	if err != nil {
		return fmt.Errorf("first election: %w", err)
	}
	took := since.Sub(began)
	d.screen.moved(move{"election", "-", leader.name, took, took, "a new Lease is free after " + seconds(leaseDuration)})
	for _, s := range steps {
		_ = d.await(ctx, awareEvery, d.allAware) // the step fails where it matters
		pause(ctx, stepPause)
		if err := d.runStep(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.how, err)
		}
	}
	pause(ctx, stepPause)
	return ctx.Err()
}

// now reads the one clock of the demo.
func now() bootclock.Instant { return bootclock.System{}.Now() }

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) { _ = bootclock.Sleep(ctx, bootclock.System{}, d) }

func rounded(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// seconds is a number of whole seconds.
func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int(d.Seconds())) }
