package histories

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Habits are an app's times, and its delays between a look and the write that rests on it. The odds are one in so
// many writes; 0 is never.
type Habits struct {
	// Idle is the time between looks while it does not lead, Work the longest between pieces of work while it does,
	// Travel the longest that a request or a reply is under way.
	Idle, Work, Travel time.Duration
	// Watch is how precisely the end of a term is known that no look of the work shows.
	Watch time.Duration
	// Read is the time between reads that are no part of the work.
	Read time.Duration
	// Freeze: at odds of one in Frozen, it is stopped for that long or up to twice as long, and writes when it continues,
	// without another look.
	Freeze time.Duration
	Frozen int
	// Stray: at odds of one in Strays, a write is held up in the network for that long or up to twice as long, while the
	// app, which has given it up, continues: it can even report in good faith that it has stopped.
	Stray  time.Duration
	Strays int
}

// App is a worker that looks before each piece of work whether it leads, as every app should.
type App struct {
	// Client is its name in the history.
	Client int
	// View shows its leadership.
	View *View
	// Register is what it works on, History where that is written down.
	Register *Register
	History  *History
	// Drained reports to the sidecar that the work has stopped. It is called at each look in a drain.
	Drained func(leadership.Leadership)
	// Habits are its own.
	Habits Habits
	// Rand is its own.
	Rand *rand.Rand

	strays sync.WaitGroup // writes under way that it has given up
}

// Run works until ctx ends: the app is killed. It returns once the requests have arrived that were under way.
func (a *App) Run(ctx context.Context) {
	reader := &App{Client: a.Client, Register: a.Register, History: a.History, Habits: a.Habits, Rand: rand.New(rand.NewPCG(a.Rand.Uint64(), 0))}
	var running sync.WaitGroup
	running.Go(func() { a.View.Watch(ctx, a.Habits.Watch) })
	running.Go(func() {
		for pause(ctx, a.Habits.Read) {
			reader.read()
		}
	})
	for ctx.Err() == nil {
		l := a.View.Look()
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
	running.Wait()
	a.View.Close()
	a.strays.Wait()
}

// work does one piece: a read at times, and a write under the token of the last look.
func (a *App) work(ctx context.Context, token lease.Version) {
	if a.Rand.IntN(4) == 0 {
		a.read()
	}
	switch {
	case a.unlucky(a.Habits.Frozen):
		if pause(ctx, a.Habits.Freeze+a.upTo(a.Habits.Freeze)) {
			a.write(token, a.travel(), a.travel())
		}
	case a.unlucky(a.Habits.Strays):
		there, back := a.Habits.Stray+a.upTo(a.Habits.Stray), a.travel()
		a.strays.Go(func() { a.write(token, there, back) })
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

// read reads the register once.
func (a *App) read() {
	o := Operation{Act: Read, Client: a.Client, From: a.History.Now()}
	time.Sleep(a.travel())
	o.Value = a.Register.Read()
	time.Sleep(a.travel())
	o.To = a.History.Now()
	a.History.Add(o)
}

func (a *App) travel() time.Duration { return a.upTo(a.Habits.Travel) }

func (a *App) upTo(d time.Duration) time.Duration {
	return time.Duration(a.Rand.Float64() * float64(d))
}

func (a *App) unlucky(odds int) bool { return odds > 0 && a.Rand.IntN(odds) == 0 }

// Register is the resource that the leader writes to: one value. Guarded, it refuses a write whose token is lower
// than the highest that it has accepted. Unguarded, it accepts every write.
type Register struct {
	guarded bool

	mu      sync.Mutex
	highest lease.Version
	value   int
	stale   int
}

// NewRegister returns a register that holds 0.
func NewRegister(guarded bool) *Register { return &Register{guarded: guarded} }

// Write puts the value there, and reports whether it did.
func (r *Register) Write(token lease.Version, value int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token.Compare(r.highest) < 0 {
		if r.guarded {
			return false
		}
		r.stale++
	} else {
		r.highest = token
	}
	r.value = value
	return true
}

// Read returns the value.
func (r *Register) Read() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}

// Stale returns how many writes it accepted though their token was lower than one before.
func (r *Register) Stale() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale
}
