package demo

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

const (
	// tick is the time between two looks and their pictures.
	tick = 50 * time.Millisecond
	// usualTime is how long a run takes on a machine with time to spare, cut down to whole seconds.
	usualTime = 15 * time.Second

	firstStep = "three replicas start on a new Lease"
)

// screen shows the user what happens. In a terminal it is a live picture on the alternate screen, and the last one stays on the
// normal screen; elsewhere, for logs and pipes, it is a line at a time.
type screen struct {
	Config
	began time.Time

	mu      sync.Mutex
	now     string
	moves   []move
	elapsed time.Duration
	led     time.Duration // when somebody was last seen to lead
	sights  []sight
	seen    [][]mark // the timeline of each replica: a mark for each tick
	verdict *verdict // nil until the end
}

func newScreen(cfg Config) *screen {
	n := len(replicaNames)
	return &screen{Config: cfg, began: time.Now(), now: firstStep, sights: make([]sight, n), seen: make([][]mark, n)}
}

// announce says what is about to be done.
func (s *screen) announce(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = what
	if s.Size == nil {
		fmt.Fprintln(s.Out, "now: "+what)
	}
}

func (s *screen) moved(m move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves, s.now = append(s.moves, m), m.to+" leads; "+m.remark
	if s.Size == nil {
		fmt.Fprintf(s.Out, "  %s -> %s in %s; no leader for %s; %s\n", m.from, m.to, rounded(m.took), rounded(m.alone), m.remark)
	}
}

// begin takes the terminal, or says what will be seen.
func (s *screen) begin() {
	if s.Size != nil {
		fmt.Fprint(s.Out, "\x1b[?1049h\x1b[?25l\x1b[?7l") // the alternate screen, without a cursor, and without wrapping
		return
	}
	fmt.Fprintf(s.Out, "lease-sidecar demo: %d replicas on a new Lease of %s, no cluster; it takes about %s\n",
		len(replicaNames), seconds(leaseDuration), seconds(usualTime))
}

// run keeps the picture up to date until ctx ends.
func (s *screen) run(ctx context.Context, replicas []*replica) {
	if s.Size == nil {
		return
	}
	sights := make([]sight, len(replicas))
	for ; ctx.Err() == nil; pause(ctx, tick) {
		for i, r := range replicas {
			sights[i] = r.sight()
		}
		s.look(time.Since(s.began), sights)
		s.draw()
	}
}

// look takes what is seen of the replicas when the run has lasted so long.
func (s *screen) look(elapsed time.Duration, sights []sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.elapsed = elapsed
	copy(s.sights, sights)
	for i, v := range s.sights {
		if v.leads {
			s.led = elapsed
		}
		for time.Duration(len(s.seen[i]))*tick <= elapsed {
			s.seen[i] = append(s.seen[i], v.mark())
		}
	}
}

// draw puts the picture over the last one, in one write so that it does not flicker.
func (s *screen) draw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for i, line := range s.picture(s.Size()) {
		fmt.Fprintf(&b, "\x1b[%d;1H%s\x1b[K", i+1, line) // each in its place: a terminal that shrinks meanwhile does not scroll
	}
	fmt.Fprint(s.Out, b.String()+"\x1b[J")
}

// end gives the terminal back, and shows the verdict there below all that was seen.
func (s *screen) end(v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict = &v
	if s.Size == nil {
		fmt.Fprintln(s.Out, v)
		if v.well() {
			fmt.Fprintln(s.Out, s.nextStep(math.MaxInt)[0])
		}
		return
	}
	columns, _ := s.Size()
	fmt.Fprint(s.Out, "\x1b[?7h\x1b[?25h\x1b[?1049l"+strings.Join(s.picture(columns, 0), "\r\n")+"\r\n")
}
