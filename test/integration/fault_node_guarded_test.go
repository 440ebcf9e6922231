//go:build linux

package integration

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// guarded is a resource that apps write to over HTTP, each write with the fencing token of the app's term. It keeps the
// highest token that it has seen and refuses all lower ones.
type guarded struct {
	url string

	mu      sync.Mutex
	highest string
	terms   []harness.Term           // of accepted writes, by the instants at which the app turned to them
	writes  map[string]int           // accepted ones, by replica
	refused map[string]int           // by token
	waiting map[string]int           // writes that lie on the way, by replica
	held    map[string]chan struct{} // closed when a replica's writes are let through
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{writes: map[string]int{}, refused: map[string]int{}, waiting: map[string]int{}, held: map[string]chan struct{}{}}
	server := httptest.NewServer(g)
	g.url = server.URL
	t.Cleanup(func() {
		g.mu.Lock()
		for _, held := range g.held {
			close(held)
		}
		clear(g.held)
		g.mu.Unlock()
		server.Close()
	})
	return g
}

// upTick is the step of /proc/uptime, by which apps tell when they turn to a write.
const upTick = 10 * time.Millisecond

// ServeHTTP takes POST /REPLICA?token=TOKEN&up=SECONDS: 200 when it is accepted, 409 when not. SECONDS are those of the
// boot clock, as in /proc/uptime: a write arrives later than that, maybe after the app's death.
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	replica, token := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query().Get("token")
	up, err := time.ParseDuration(r.URL.Query().Get("up") + "s")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.delay(replica)
	if !g.accept(replica, token, bootclock.Instant(up)) {
		w.WriteHeader(http.StatusConflict)
	}
}

// delay keeps a write on the way, whatever becomes of its sender, until the replica's writes are let through.
func (g *guarded) delay(replica string) {
	g.mu.Lock()
	held, ok := g.held[replica]
	if ok {
		g.waiting[replica]++
	}
	g.mu.Unlock()
	if ok {
		<-held
	}
}

func (g *guarded) accept(replica, token string, up bootclock.Instant) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.highest != "" && greater(g.highest, token) {
		g.refused[token]++
		return false
	}
	g.highest = token
	g.writes[replica]++
	if last := len(g.terms) - 1; last >= 0 && g.terms[last].Token == token && g.terms[last].Replica == replica {
		g.terms[last].To = up
	} else {
		g.terms = append(g.terms, harness.Term{Replica: replica, Channel: "work", Token: token, From: up.Add(upTick), To: up})
	}
	return true
}

// hold keeps the replica's writes on the way from here on, and waits until one is there.
func (g *guarded) hold(t *testing.T, replica string) {
	t.Helper()
	g.mu.Lock()
	g.held[replica] = make(chan struct{})
	g.mu.Unlock()
	harness.Eventually(t, slack, "a write is on its way", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.waiting[replica] > 0
	})
}

// release lets the replica's writes arrive.
func (g *guarded) release(replica string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.held[replica])
	delete(g.held, replica)
}

// awaitWork waits until a write with the token was accepted.
func (g *guarded) awaitWork(t *testing.T, token string) {
	t.Helper()
	harness.Eventually(t, slack, "a write with token "+token+" is accepted", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.highest == token
	})
}

// awaitRefusal waits until a write with the token was refused.
func (g *guarded) awaitRefusal(t *testing.T, token string) {
	t.Helper()
	harness.Eventually(t, slack, "a write with token "+token+" is refused", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.refused[token] > 0
	})
}

// work returns how many writes of the replica were accepted.
func (g *guarded) work(replica string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writes[replica]
}

// tell makes the accepted work part of what the witness judges.
func (g *guarded) tell(w *harness.Witness) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, term := range g.terms {
		if term.From.Before(term.To) {
			w.Tell(term)
		}
	}
}
