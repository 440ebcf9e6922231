package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

const (
	// maxStreams bounds the open event streams.
	maxStreams = 1000
	// heartbeat is how often an idle stream sends a comment.
	heartbeat = 15 * time.Second
	// eventTimeout is how long a client may take over one event before it is dropped.
	eventTimeout = 5 * time.Second
)

// Feed is the signal that serves GET /events, a stream of server-sent events: first the current document, then one per
// transition, none for renewals, and comments in between. A client that asks for the members (?members=true) gets events of the
// type "members", too. A slow client skips to the newest leadership; a stuck one is dropped.
type Feed struct {
	clock     bootclock.Clock
	heartbeat time.Duration
	timeout   time.Duration
	places    chan struct{} // one for each stream

	mu      sync.Mutex
	known   bool // a leadership was applied
	newest  leadership.Leadership
	renamed time.Time     // when the leader's name last changed
	changed chan struct{} // closed, and replaced, at each leadership and each document of the members
	members []byte        // the newest document of the members; nil: none
	serial  int           // of that document
}

var _ signals.Signal = (*Feed)(nil)

// NewFeed returns a feed without a leadership. Streams have no event until the first one.
func NewFeed(clock bootclock.Clock) *Feed {
	return &Feed{
		clock: clock, heartbeat: heartbeat, timeout: eventTimeout,
		places: make(chan struct{}, maxStreams), changed: make(chan struct{}), renamed: moment(clock),
	}
}

// Name returns "events".
func (f *Feed) Name() string { return "events" }

// Apply passes the leadership to every stream, and waits for none.
func (f *Feed) Apply(_ context.Context, l leadership.Leadership) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.Leader != f.newest.Leader {
		f.renamed = moment(f.clock)
	}
	f.known, f.newest = true, l
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// Members passes a document of the members to every stream that asks for them, and waits for none.
func (f *Feed) Members(document []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = document
	f.serial++
	close(f.changed)
	f.changed = make(chan struct{})
}

// moment returns the wall clock's time with a document's precision.
func moment(clock bootclock.Clock) time.Time { return clock.Wall().UTC().Truncate(time.Millisecond) }

// format says how a stream prints a leadership, and which leaderships it treats as equal. The greeting is its first comment.
type format struct {
	greeting string
	same     func(a, b leadership.Leadership) bool
	print    func(leadership.Leadership) ([]byte, error)
	members  bool // the members, too, as events of their own type
}

// ServeHTTP streams the leadership document until the client leaves or is too slow, or the listener ends.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, format{
		greeting: "leadership of this replica",
		same:     leadership.Leadership.SameTerm,
		print:    func(l leadership.Leadership) ([]byte, error) { return json.Marshal(l) },
		members:  r.URL.Query().Get("members") == "true",
	})
}

func (f *Feed) serve(w http.ResponseWriter, r *http.Request, as format) {
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	default:
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, fmt.Sprintf("%d streams are open already: close some, or poll /leader", maxStreams))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	s := stream{w: w, control: http.NewResponseController(w), timeout: f.timeout, format: as}
	_ = f.follow(r.Context(), &s) // an error means that the client is gone or stuck
}

// follow sends what the client has not seen, until ctx ends or the client accepts no more.
func (f *Feed) follow(ctx context.Context, s *stream) error {
	beat := time.NewTicker(f.heartbeat)
	defer beat.Stop()
	if s.format.greeting != "" {
		if err := s.comment(s.format.greeting); err != nil {
			return err
		}
	}
	for {
		changed, err := f.send(s)
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-beat.C:
			err = s.comment("still here")
		case <-ctx.Done():
			_, err := f.send(s) // a last transition may have come with the end
			return err
		}
		if err != nil {
			return err
		}
	}
}

// send sends the newest leadership as of now, if the client has not had it. The channel closes at the next leadership.
func (f *Feed) send(s *stream) (changed <-chan struct{}, err error) {
	f.mu.Lock()
	l, known, changed := f.newest.At(f.clock.Now()), f.known, f.changed
	members, serial := f.members, f.serial
	f.mu.Unlock()
	if known {
		err = s.event(l)
	}
	if err == nil && s.format.members && serial != s.serial {
		s.serial = serial
		err = s.send("event: members\ndata: " + string(members) + "\n\n")
	}
	return changed, err
}

// stream is one client's stream.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	format  format
	sent    bool
	last    leadership.Leadership
	serial  int // of the document of the members that was sent last
}

func (s *stream) event(l leadership.Leadership) error {
	if s.sent && s.format.same(s.last, l) {
		return nil
	}
	document, err := s.format.print(l)
	if err != nil {
		return fmt.Errorf("print the leadership document: %w", err)
	}
	s.sent, s.last = true, l
	return s.send("data: " + string(document) + "\n\n")
}

func (s *stream) comment(text string) error { return s.send(": " + text + "\n\n") }

func (s *stream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
