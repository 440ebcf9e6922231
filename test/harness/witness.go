//go:build linux

package harness

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// How often the witness looks. HTTP costs both sides more than a file does.
const (
	fileLook = 5 * time.Millisecond
	httpLook = 100 * time.Millisecond
)

// Term is a span of the boot clock throughout which one replica published that it leads. Its ends are on the safe
// side: the replica published so at both, and at every look in between, always with the same token.
type Term struct {
	// Replica is who led, Channel where that was seen: "state", "leader file", "http", or a test's own.
	Replica, Channel string
	// Token is the fencing token that went with it; "" where the channel has none.
	Token string
	// From and To are the first and the last instant.
	From, To bootclock.Instant
}

// Witness samples on one clock what each replica publishes, through every channel.
type Witness struct {
	clock bootclock.Clock
	stop  func() // closes done, once
	done  chan struct{}
	looks sync.WaitGroup

	mu    sync.Mutex
	terms []Term
}

// Watch starts a witness of the replicas. It ends with the test, or with Stop.
func Watch(t testing.TB, replicas ...*Sidecar) *Witness {
	w := &Witness{clock: bootclock.System{}, done: make(chan struct{})}
	w.stop = sync.OnceFunc(func() { close(w.done) })
	t.Cleanup(w.Stop)
	for _, s := range replicas {
		w.Add(s)
	}
	return w
}

// Add watches one more replica, by its files and over HTTP.
func (w *Witness) Add(s *Sidecar) {
	state := &glance{dir: s.Dir, clock: w.clock}
	w.AddChannel(s.Pod, "state", fileLook, state.leads)
	w.AddChannel(s.Pod, "leader file", fileLook, s.LeadsByFile)
	w.AddChannel(s.Pod, "http", httpLook, s.LeadsByHTTP)
}

// AddChannel watches a replica through a channel of the test's own: leads says whether it leads there now, and with
// which token. It is sampled until Stop.
func (w *Witness) AddChannel(replica, channel string, every time.Duration, leads func() (leads bool, token string)) {
	w.looks.Go(func() {
		var open *Term
		closeTerm := func() {
			if open != nil && open.From.Before(open.To) {
				w.AddTerm(*open)
			}
			open = nil
		}
		defer closeTerm()
		for tick := time.NewTicker(every); ; {
			before := w.clock.Now()
			leads, token := leads()
			after := w.clock.Now()
			if open != nil && (!leads || token != open.Token) {
				closeTerm()
			}
			switch {
			case leads && open == nil:
				// It led at some instant before now: now is the first that is sure, once the next look says the same.
				open = &Term{Replica: replica, Channel: channel, Token: token, From: after, To: after}
			case leads:
				open.To = before
			}
			select {
			case <-tick.C:
			case <-w.done:
				tick.Stop()
				return
			}
		}
	})
}

// AddTerm adds a term that the test knows of by itself.
func (w *Witness) AddTerm(term Term) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.terms = append(w.terms, term)
}

// Now reads the witness's clock.
func (w *Witness) Now() bootclock.Instant { return w.clock.Now() }

// Stop ends the sampling. Judge the terms after it.
func (w *Witness) Stop() {
	w.stop()
	w.looks.Wait()
}

// Terms returns the terms seen so far through a channel ("" for all), those still open left out, by their start.
func (w *Witness) Terms(channel string) []Term {
	w.mu.Lock()
	defer w.mu.Unlock()
	var terms []Term
	for _, term := range w.terms {
		if channel == "" || term.Channel == channel {
			terms = append(terms, term)
		}
	}
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Compare(a.From, b.From) })
	return terms
}

// Overlap is a span in which two replicas led at once: never to happen.
type Overlap struct {
	// A and B are the two terms.
	A, B Term
	// Span is how long.
	Span time.Duration
}

func (o Overlap) String() string {
	return fmt.Sprintf("%s (%s, token %s) and %s (%s, token %s) for %v",
		o.A.Replica, o.A.Channel, o.A.Token, o.B.Replica, o.B.Channel, o.B.Token, o.Span)
}

// Overlaps returns every pair of terms of two replicas, through whichever channels, that share a span.
func Overlaps(terms []Term) []Overlap {
	var overlaps []Overlap
	for i, a := range terms {
		for _, b := range terms[i+1:] {
			span := min(a.To, b.To).Sub(max(a.From, b.From))
			if a.Replica != b.Replica && span > 0 {
				overlaps = append(overlaps, Overlap{A: a, B: b, Span: span})
			}
		}
	}
	return overlaps
}

// Verdict stops the witness and fails the test where two replicas led at once, or where the tokens of the terms
// did not rise in the order of the terms.
func (w *Witness) Verdict(t testing.TB) {
	t.Helper()
	w.Stop()
	for _, o := range Overlaps(w.Terms("")) {
		t.Errorf("two led at once: %v", o)
	}
	var last Term
	for _, term := range w.Terms("state") {
		again := term.Replica == last.Replica && term.Token == last.Token // one term, seen late for a moment
		if last.Token != "" && !again && !rises(last.Token, term.Token) {
			t.Errorf("token %s of %s came after token %s of %s", term.Token, term.Replica, last.Token, last.Replica)
		}
		last = term
	}
}

// rises reports whether the decimal number b is greater than a.
func rises(a, b string) bool { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 }

// crowdLook is the time that looking at one of a crowd may take up: fifty are each looked at every 50 ms.
const crowdLook = time.Millisecond

// AddCrowd watches many replicas by their documents alone, each more seldom than Add does, so that the looking does not
// take the machine away from them.
func (w *Witness) AddCrowd(replicas ...*Sidecar) {
	for _, s := range replicas {
		w.AddChannel(s.Pod, "state", max(fileLook, time.Duration(len(replicas))*crowdLook), s.Leads)
	}
}

// glance looks at one signal directory again and again. The document is read anew only when the file is another one;
// each look judges it by the clock. A witness of many replicas has no processor for more.
type glance struct {
	dir   string
	clock bootclock.Clock
	seen  stamp
	last  leadership.Leadership
}

// stamp distinguishes a file that was replaced, or written to, from the one before.
type stamp struct {
	inode            uint64
	size             int64
	changed, written unix.Timespec
}

// leads returns what an app that reads the directory by the boot clock knows now: leadership and its token.
func (g *glance) leads() (bool, string) {
	now, ok := g.stamp()
	if !ok || now != g.seen {
		l, err := leadership.Read(g.dir)
		g.seen, g.last = now, l
		if err != nil {
			g.seen, g.last = stamp{}, leadership.Leadership{}
		}
	}
	l := g.last.At(g.clock.Now())
	return l.IsLeader, l.Token
}

// stamp is taken before the file is read: what is written in between changes the next one.
func (g *glance) stamp() (stamp, bool) {
	var s unix.Stat_t
	if err := unix.Stat(filepath.Join(g.dir, leadership.StateFile), &s); err != nil {
		return stamp{}, false
	}
	return stamp{s.Ino, s.Size, s.Ctim, s.Mtim}, true
}
