package histories

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Habits are an app's times, and its misfortunes between a look and the write that rests on it. The odds are one in so
// many writes; 0 is never.
type Habits struct {
	// Idle is the time between looks while it does not lead, Work the longest between pieces of work while it does,
	// Travel the longest that a request or a reply is under way.
	Idle, Work, Travel time.Duration
	// Freeze: at odds of one in Frozen, it is stopped for that long or up to twice as long, and writes on waking,
	// without another look.
	Freeze time.Duration
	Frozen int
	// Stray: at odds of one in Strays, a write is held up in the network for that long or up to twice as long, while the
	// app, which has given it up, goes on: it can even report in good faith that it has stopped.
	Stray  time.Duration
	Strays int
}

// App is a worker that looks before each piece of work whether it leads, as every app should.
type App struct {
	// Client is its name in the history.
	Client int
	// Told is what it is told.
	Told *Told
	// Register is what it works on, History where that is written down.
	Register *Register
	History  *History
	// Drained tells the sidecar that the work has stopped. It is called at each look in a drain.
	Drained func(leadership.Leadership)
	// Habits are its own.
	Habits Habits
	// Rand is its own.
	Rand *rand.Rand
	// Travels counts the writes under way that nobody waits for, so that whoever runs the app can wait for them.
	Travels *sync.WaitGroup
}

// Run works until ctx ends: the app is killed. A request that has been sent goes on.
func (a *App) Run(ctx context.Context) {
	for ctx.Err() == nil {
		l := a.Told.Look()
		if !l.IsLeader {
			if !l.ValidUntil.IsZero() {
				a.Drained(l)
			}
			pause(ctx, a.Habits.Idle)
			continue
		}
		a.work(ctx, lease.Version(l.Token))
		pause(ctx, a.upTo(a.Habits.Work))
	}
}

// work does one piece: a read at times, and a write under the token of the last look.
func (a *App) work(ctx context.Context, token lease.Version) {
	if a.Rand.IntN(4) == 0 {
		Reading(a.Client, a.Register, a.History, a.travel)
	}
	switch {
	case a.unlucky(a.Habits.Frozen):
		if pause(ctx, a.Habits.Freeze+a.upTo(a.Habits.Freeze)) {
			a.write(token, a.travel(), a.travel())
		}
	case a.unlucky(a.Habits.Strays):
		there, back := a.Habits.Stray+a.upTo(a.Habits.Stray), a.travel()
		a.Travels.Go(func() { a.write(token, there, back) })
	default:
		a.write(token, a.travel(), a.travel())
	}
}

// write sends one write, which takes effect between the two travels.
func (a *App) write(token lease.Version, there, back time.Duration) {
	o := Operation{Act: Write, Client: a.Client, Token: token, Value: a.History.Fresh(), From: a.History.Now()}
	time.Sleep(there)
	o.Refused = !a.Register.Write(token, o.Value)
	time.Sleep(back)
	o.To = a.History.Now()
	a.History.Add(o)
}

// Reading reads the register once for a client. travel says how long the request and the reply are under way.
func Reading(client int, register *Register, history *History, travel func() time.Duration) {
	o := Operation{Act: Read, Client: client, From: history.Now()}
	time.Sleep(travel())
	o.Value = register.Read()
	time.Sleep(travel())
	o.To = history.Now()
	history.Add(o)
}

func (a *App) travel() time.Duration { return a.upTo(a.Habits.Travel) }

func (a *App) upTo(d time.Duration) time.Duration {
	return time.Duration(a.Rand.Float64() * float64(d))
}

func (a *App) unlucky(odds int) bool { return odds > 0 && a.Rand.IntN(odds) == 0 }
