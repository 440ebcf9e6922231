package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// following reads a stream: each event by who leads in it and with which token, each comment with its colon.
type following struct {
	t    *testing.T
	body io.Closer
	read *bufio.Reader
}

func follow(t *testing.T, c *http.Client) *following {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" ||
		answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("GET /events: %d %v", answer.StatusCode, answer.Header)
	}
	return &following{t: t, body: answer.Body, read: bufio.NewReader(answer.Body)}
}

// next returns the next message, or "end".
func (f *following) next() string {
	f.t.Helper()
	var lines []string
	for {
		line, err := f.read.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return "end"
		}
		if err != nil {
			f.t.Fatalf("read the stream: %v", err)
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			break
		}
		lines = append(lines, line)
	}
	if len(lines) != 1 {
		f.t.Fatalf("a message of %d lines: %q", len(lines), lines)
	}
	document, ok := strings.CutPrefix(lines[0], "data: ")
	if !ok {
		return lines[0]
	}
	var l leadership.Leadership
	if err := json.Unmarshal([]byte(document), &l); err != nil {
		f.t.Fatalf("event %s: %v", document, err)
	}
	return strings.TrimSpace(l.Leader + " " + l.Token)
}

// event returns the next event, past comments.
func (f *following) event() string {
	f.t.Helper()
	for {
		if m := f.next(); !strings.HasPrefix(m, ":") {
			return m
		}
	}
}

// streaming serves a feed.
type streaming struct {
	feed  *Feed
	clock *clocktest.Hand
	addr  string
	end   func()
}

func startStreaming(t *testing.T, change func(*Feed)) *streaming {
	t.Helper()
	clock := clocktest.NewHand()
	feed := NewFeed(clock)
	if change != nil {
		change(feed)
	}
	l := listen(t, "127.0.0.1:0")
	mux := http.NewServeMux()
	mux.Handle("GET /events", feed)
	return &streaming{feed: feed, clock: clock, addr: l.Addrs()[0], end: serve(t, l, plain(podid.Pod{}, mux))}
}

// apply hands a feed a leadership.
func apply(t *testing.T, f *Feed, l leadership.Leadership) {
	t.Helper()
	if err := f.Apply(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

func TestStreamShowsTheCurrentLeadershipThenTransitions(t *testing.T) {
	s := startStreaming(t, nil)
	apply(t, s.feed, leadershiptest.Standby("web-x"))
	f := follow(t, client(t, s.addr))
	got := []string{f.event()}
	for _, l := range []leadership.Leadership{
		leadershiptest.Leading(s.clock, "5"), leadershiptest.Leading(s.clock, "6"), leadershiptest.Draining(s.clock), leadershiptest.Standby(""), leadershiptest.Standby("web-y"),
	} {
		apply(t, s.feed, l)
		got = append(got, f.event())
		s.clock.Advance(time.Second)
		if l.IsLeader {
			l = leadershiptest.Leading(s.clock, l.Token)
		}
		apply(t, s.feed, l) // a renewal is no event: the next one read is the next transition
	}
	want := []string{"web-x", "web-5d9 5", "web-5d9 6", "web-5d9", "", "web-y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestStreamIsSilentUntilTheFirstLeadership(t *testing.T) {
	s := startStreaming(t, func(f *Feed) { f.heartbeat = 20 * time.Millisecond })
	f := follow(t, client(t, s.addr))
	for range 3 {
		if m := f.next(); !strings.HasPrefix(m, ":") {
			t.Fatalf("%q before there was any leadership", m)
		}
	}
	apply(t, s.feed, leadershiptest.Leading(s.clock, "5"))
	if got := f.event(); got != "web-5d9 5" {
		t.Errorf("first event %q, want the first leadership", got)
	}
}

// TestStreamEndsATermByTheClock: nobody says that it is over, and the heartbeat looks.
func TestStreamEndsATermByTheClock(t *testing.T) {
	s := startStreaming(t, func(f *Feed) { f.heartbeat = 20 * time.Millisecond })
	apply(t, s.feed, leadershiptest.Leading(s.clock, "5"))
	f := follow(t, client(t, s.addr))
	if got := f.event(); got != "web-5d9 5" {
		t.Fatalf("first event %q", got)
	}
	s.clock.Advance(10 * time.Second)
	if got := f.event(); got != "" {
		t.Errorf("after validUntil %q, want nobody", got)
	}
	if got := follow(t, client(t, s.addr)).event(); got != "" {
		t.Errorf("a new client gets %q, want nobody", got)
	}
}

// TestStreamOutlivesTheListenersTimeouts: those are for requests, 150 ms here.
func TestStreamOutlivesTheListenersTimeouts(t *testing.T) {
	s := startStreaming(t, func(f *Feed) { f.heartbeat = 50 * time.Millisecond })
	apply(t, s.feed, leadershiptest.Standby("web-x"))
	f := follow(t, client(t, s.addr))
	for range 10 { // 500 ms of heartbeats at least
		if m := f.next(); m == "end" {
			t.Fatal("the stream was cut off")
		}
	}
}

func TestLastTransitionIsSentAtTheEnd(t *testing.T) {
	s := startStreaming(t, nil)
	apply(t, s.feed, leadershiptest.Leading(s.clock, "5"))
	f := follow(t, client(t, s.addr))
	f.event()
	apply(t, s.feed, leadershiptest.Standby(""))
	s.end()
	if got := f.event(); got != "" {
		t.Errorf("last event %q, want nobody", got)
	}
	if got := f.next(); got != "end" {
		t.Errorf("then %q, want the end", got)
	}
}

// hinge ends the stream in the moment that its first event is written, with a new leadership just applied.
type hinge struct {
	recorded
	onEvent func()
}

func (h *hinge) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), "data: ") && h.onEvent != nil {
		h.onEvent()
		h.onEvent = nil
	}
	return h.recorded.Write(b)
}

func TestEndAndTransitionAtOnce(t *testing.T) {
	for range 20 { // either may be seen first
		clock := clocktest.NewHand()
		feed := NewFeed(clock)
		apply(t, feed, leadershiptest.Leading(clock, "5"))
		ctx, cancel := context.WithCancel(t.Context())
		w := &hinge{recorded: recorded{httptest.NewRecorder()}, onEvent: func() { apply(t, feed, leadershiptest.Standby("web-x")); cancel() }}
		feed.ServeHTTP(w, httptest.NewRequest("GET", "/events", nil).WithContext(ctx))
		if !strings.Contains(w.Body.String(), `"leader":"web-x"`) {
			t.Fatalf("the last transition was not sent:\n%s", w.Body)
		}
	}
}

// wantStreams waits until so many streams are open.
func wantStreams(t *testing.T, f *Feed, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(f.places) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are open, want %d", len(f.places), want)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := startStreaming(t, nil)
	apply(t, s.feed, leadershiptest.Standby("web-x"))
	var open []*following
	for range maxStreams {
		f := follow(t, client(t, s.addr))
		f.event()
		open = append(open, f)
	}
	if got := status(t, client(t, s.addr), "GET", "/events"); got != 503 {
		t.Errorf("one stream too many: %d, want 503", got)
	}
	open[0].body.Close()
	wantStreams(t, s.feed, maxStreams-1)
	if got := follow(t, client(t, s.addr)).event(); got != "web-x" {
		t.Errorf("event %q, want web-x", got)
	}
}

func TestHeadOfAStreamEnds(t *testing.T) {
	s := startStreaming(t, nil)
	if got := status(t, client(t, s.addr), "HEAD", "/events"); got != 200 {
		t.Errorf("HEAD /events: %d, want 200", got)
	}
	if got := len(s.feed.places); got != 0 {
		t.Errorf("%d places taken, want 0", got)
	}
}

// TestSlowStreamIsDroppedAndHoldsUpNobody: one client stops reading in mid-stream.
func TestSlowStreamIsDroppedAndHoldsUpNobody(t *testing.T) {
	clock := clocktest.NewHand()
	feed := NewFeed(clock)
	feed.timeout = 50 * time.Millisecond
	p := newMemoryListener() // of pipes, which hold nothing back: a client that does not read blocks the first write
	serve(t, newListener(nil, quiet, false, 1000, p), feed)
	dial := func() (net.Conn, *bufio.Reader) {
		here, there := net.Pipe()
		p.conns <- there
		t.Cleanup(func() { here.Close() })
		if _, err := io.WriteString(here, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := here.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return here, bufio.NewReader(here)
	}
	readUntil := func(r *bufio.Reader, want string) error {
		for {
			line, err := r.ReadString('\n')
			if err != nil || strings.Contains(line, want) {
				return err
			}
		}
	}
	apply(t, feed, leadershiptest.Standby("web-0"))
	_, slow := dial()
	_, quick := dial()
	for _, r := range []*bufio.Reader{slow, quick} {
		if err := readUntil(r, "web-0"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		apply(t, feed, leadershiptest.Standby(name))
		if err := readUntil(quick, name); err != nil {
			t.Fatalf("the quick client waits for %s: %v", name, err)
		}
	}
	wantStreams(t, feed, 1) // the quick client's
	if err := readUntil(slow, "web-3"); err == nil {
		t.Error("the slow client got web-3; it should have been dropped before")
	}
}
