package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// conduct is how one start of the program behaves. Times are in nanoseconds, as in JSON.
type conduct struct {
	// Stop is how long the work goes on after the signal to stop.
	Stop time.Duration
	// Ignore: the signal to stop does nothing at all.
	Ignore bool
	// Unlisten closes the health endpoint at the signal to stop, before the work ends.
	Unlisten bool
	// Crash is after how much work the program ends by itself; 0: never.
	Crash time.Duration
	// Finish is after how much work the program ends in good order, as a task does that is done; 0: never.
	Finish time.Duration
	// Workers is how many workers there are while it works, each in a session of its own.
	Workers int
	// Leave: the program ends without its workers, which work on for Linger. Else it ends them first.
	Leave  bool
	Linger time.Duration
	// Deaf: workers do not end at SIGTERM.
	Deaf bool
}

// conductFile gives every start of a replica the same conduct, in place of one that is drawn.
const conductFile = "conduct.json"

// load returns this start's conduct: the command line's, else the one in the folder's file, else one that is drawn from the seed, the replica and
// the number of processes that the replica has had.
func (o options) load() (conduct, error) {
	text, err := []byte(o.given), error(nil)
	if o.given == "" {
		text, err = os.ReadFile(filepath.Join(o.folder, conductFile))
	}
	if err == nil {
		var c conduct
		if err := json.Unmarshal(text, &c); err != nil {
			return conduct{}, fmt.Errorf("read the conduct: %w", err)
		}
		return c, nil
	}
	before, err := journal.Files(o.folder)
	if err != nil {
		return conduct{}, err
	}
	return draw(rand.New(rand.NewPCG(o.seed, uint64(len(before)))), o.bound), nil
}

// draw draws a conduct. Where bound is above 0, nothing works on for longer than that after the signal to stop: nobody
// kills the program, so that is what it owes.
func draw(chance *rand.Rand, bound time.Duration) conduct {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(chance.Float64()*float64(most-least))
	}
	longest := func(d time.Duration) time.Duration {
		if bound > 0 {
			return min(d, bound)
		}
		return d
	}
	var c conduct
	switch kind := chance.Float64(); {
	case kind < 0.3: // at once
	case kind < 0.6:
		c.Stop = between(0, longest(3*time.Second))
	case kind < 0.8:
		c.Unlisten = true
		c.Stop = between(0, longest(4*time.Second))
	case bound == 0:
		c.Ignore = true
	}
	if chance.Float64() < 0.4 {
		c.Workers, c.Leave = 1+chance.IntN(2), true
		c.Linger = between(0, longest(4*time.Second))
		c.Deaf = chance.Float64() < 0.7
		if bound > 0 {
			c.Stop = min(c.Stop, bound-c.Linger) // the two add up
		}
	}
	if chance.Float64() < 0.08 {
		c.Crash = between(500*time.Millisecond, 8*time.Second)
	}
	return c
}
