package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// lookEvery is the pause between two looks of a witness at one reader.
const lookEvery = 2 * time.Millisecond

// condition is what the user sees of a sidecar.
type condition string

const (
	running condition = "running"
	frozen  condition = "frozen"
	killed  condition = "killed"
	stopped condition = "stopped"
)

// sight is what is seen of a replica now.
type sight struct {
	leads bool
	token string
	left  time.Duration // of the term's validity
	work  workReport
	condition
}

// witness notes what the workload of one replica sees, by its file and over HTTP, as a reader that honours the deadline, and
// when the workload works. All witnesses share one clock.
type witness struct {
	mu         sync.Mutex
	file, http reader
	work       track
	report     workReport // the toy's newest
	condition  condition
	looks      int
}

// reader is a way to learn who leads.
type reader struct {
	track
	newest leadership.Leadership
}

// watch looks until ctx ends. Each reader is looked at by itself: a frozen sidecar's silence holds up no other.
func (r *replica) watch(ctx context.Context) {
	var readers sync.WaitGroup
	readers.Go(func() {
		r.follow(ctx, &r.file, func() (leadership.Leadership, error) { return leadership.Read(r.dir) })
	})
	readers.Go(func() {
		r.follow(ctx, &r.http, func() (leadership.Leadership, error) { return r.client.Leadership(ctx) })
	})
	readers.Wait()
}

// follow asks a reader again and again. An error means "not leader" to the witness, as it must to everyone.
func (w *witness) follow(ctx context.Context, by *reader, ask func() (leadership.Leadership, error)) {
	for ; ctx.Err() == nil; pause(ctx, lookEvery) {
		asked := now()
		l, err := ask()
		if err != nil {
			l = leadership.Leadership{}
		}
		l = l.At(now())
		w.mu.Lock()
		w.looks++
		by.newest = l
		by.look(asked, now(), l.IsLeader, l.Token)
		w.mu.Unlock()
	}
}

func (w *witness) reported(r workReport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stopping := w.report.Working && !r.Working; stopping {
		w.work.look(r.At, r.At, true, w.report.Token) // it was at work until now
	}
	w.work.look(r.At, r.At, r.Working, r.Token)
	w.report = r
}

func (w *witness) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Working, w.report.Token, w.work.open = false, "", false
}

func (w *witness) become(c condition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.condition = c
}

func (w *witness) sight() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.file.newest.At(now())
	s := sight{leads: l.IsLeader, token: l.Token, work: w.report, condition: w.condition}
	if l.IsLeader {
		s.left = l.ValidUntil.Sub(now())
	}
	return s
}

// leads reports whether the file says "leader", and since when the witness knows.
func (w *witness) leads() (bool, bootclock.Instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.open, w.file.last().from
}

// lastLed returns when the replica last saw that it leads, by any reader.
func (w *witness) lastLed() bootclock.Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.file.last().to, w.http.last().to)
}

// verdict is what the witnesses have found in the end.
type verdict struct {
	moves, looks int
	// led and work are for how long two replicas saw "leader" at once, and worked at once.
	led, work time.Duration
}

func judge(replicas []*replica, moves int) verdict {
	v := verdict{moves: moves}
	var led, work [][]span
	for _, r := range replicas {
		r.mu.Lock()
		v.looks += r.looks
		led = append(led, slices.Concat(r.file.spans, r.http.spans))
		work = append(work, slices.Clone(r.work.spans))
		r.mu.Unlock()
	}
	v.led, v.work = overlap(led), overlap(work)
	return v
}

// String is the verdict in plain text.
func (v verdict) String() string {
	return fmt.Sprintf("%d of %d moves; in %d looks: two led at once for %s, two worked at once for %s",
		v.moves, len(steps)+1, v.looks, rounded(v.led), rounded(v.work))
}

// well reports whether all moves happened, and nothing that must never be seen.
func (v verdict) well() bool { return v.err() == nil && v.moves == len(steps)+1 }

// err returns an error for what must never be seen.
func (v verdict) err() error {
	if v.led == 0 && v.work == 0 {
		return nil
	}
	return fmt.Errorf("two led at once for %s, and worked at once for %s", v.led, v.work)
}

// span is a stretch of time in which one reader believed in one term of one replica.
type span struct {
	from, to bootclock.Instant
	token    string
}

// track is what one reader saw over time, newest last.
type track struct {
	spans []span
	open  bool // the newest look said "leader"
}

// look notes an answer that was true at some instant from asked to answered. It counts only the time between two equal
// answers, so that slow looks never make up an overlap.
func (t *track) look(asked, answered bootclock.Instant, leads bool, token string) {
	switch {
	case !leads:
	case t.open && t.last().token == token:
		if last := &t.spans[len(t.spans)-1]; last.to.Before(asked) {
			last.to = asked
		}
	default:
		t.spans = append(t.spans, span{from: answered, to: answered, token: token})
	}
	t.open = leads
}

// last returns the newest span; the zero span where there has been none.
func (t *track) last() span {
	if len(t.spans) == 0 {
		return span{}
	}
	return t.spans[len(t.spans)-1]
}

// overlap returns for how long two replicas believed at once; spans[i] are those of replica i. It sums pairs of readers, which can
// only make it longer.
func overlap(spans [][]span) (sum time.Duration) {
	for i := range spans {
		others := slices.Concat(spans[:i]...)
		for _, s := range spans[i] {
			for _, o := range others {
				if from, to := max(s.from, o.from), min(s.to, o.to); from < to {
					sum += to.Sub(from)
				}
			}
		}
	}
	return sum
}
