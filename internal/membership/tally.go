package membership

import (
	"maps"
	"sync"
)

// Requests counts the requests of one verb.
type Requests struct {
	// Sent counts those that have ended; Failed those of them that failed. A create of a Lease that is there is a failure.
	Sent, Failed int
}

// verbs are those that are counted. A watch counts when it ends.
var verbs = []string{"get", "create", "renew", "leave", "list", "watch", "sweep"}

// tally counts the requests by verb.
type tally struct {
	mu  sync.Mutex
	all map[string]Requests
}

func newTally() *tally {
	t := &tally{all: map[string]Requests{}}
	for _, verb := range verbs {
		t.all[verb] = Requests{}
	}
	return t
}

func (t *tally) note(verb string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.all[verb]
	if r.Sent++; err != nil {
		r.Failed++
	}
	t.all[verb] = r
}

// Requests returns how many requests were sent, by verb: get, create, renew, leave, list, watch and sweep.
func (m *Membership) Requests() map[string]Requests {
	m.tally.mu.Lock()
	defer m.tally.mu.Unlock()
	return maps.Clone(m.tally.all)
}
