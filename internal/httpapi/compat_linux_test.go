package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// reference is the classic sidecar's own handler, as a server of the standard library carries it: the answers to
// compare with.
func reference(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(`{"name":"` + name + `"}`))
	})
}

// served serves a handler until the test ends, and returns its address.
func served(t *testing.T, h http.Handler) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	serve(t, l, h)
	return l.Addrs()[0]
}

// exchange sends a request as it is, and returns the answer as it is, but for the date.
func exchange(t *testing.T, address, request string) string {
	t.Helper()
	c := sending(t, address, request)
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(answer)) {
		if !strings.HasPrefix(line, "Date: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// TestClassicIsTheReferenceToTheByte: status line, headers and body, on whatever path and by whatever method.
func TestClassicIsTheReferenceToTheByte(t *testing.T) {
	clock := clocktest.NewHand()
	for name, l := range map[string]leadership.Leadership{
		"web-5d9": leadershiptest.Leading(clock, "5"), "web-x": leadershiptest.Standby("web-x"), "": leadershiptest.Standby(""),
	} {
		e := &stuck{now: l}
		ours := served(t, NewWorkloadHandler(WorkloadConfig{Election: e, Clock: clock, Feed: NewFeed(clock), Compat: CompatClassic}))
		theirs := served(t, reference(name))
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"} {
			for _, path := range []string{"/", "/leader", "/events", "/step-down", "/a//b/../c", "/?x=1", "/%2e%2e/", "//", "*"} {
				if path == "*" && method != "OPTIONS" {
					continue // no such request
				}
				request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", method, path)
				got, want := exchange(t, ours, request), exchange(t, theirs, request)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
				}
				if method != "HEAD" && !strings.HasSuffix(got, "\r\n\r\n"+`{"name":"`+name+`"}`) {
					t.Errorf("%s %s: %q", method, path, got)
				}
			}
		}
		if len(e.ordered) > 0 {
			t.Errorf("it took an order: %v", e.ordered)
		}
	}
}

func TestNais(t *testing.T) {
	clock := clocktest.NewHand()
	e := &stuck{}
	feed := NewFeed(clock)
	publish := func(l leadership.Leadership) {
		e.mu.Lock()
		e.now = l
		e.mu.Unlock()
		apply(t, feed, l)
	}
	app := NewWorkloadHandler(WorkloadConfig{Election: e, Clock: clock, Feed: feed, Compat: CompatNais})
	want := func(document string) {
		t.Helper()
		if got := ask(t, app, "GET", "/"); got.Code != 200 || got.Body.String() != document {
			t.Errorf("GET /: %d %s, want 200 %s", got.Code, got.Body, document)
		}
	}
	want(`{"name":"","last_update":"2026-11-22T10:00:00Z"}`)
	clock.Advance(1500 * time.Millisecond)
	publish(leadershiptest.Leading(clock, "5"))
	want(`{"name":"web-5d9","last_update":"2026-11-22T10:00:01.5Z"}`)
	clock.Advance(time.Second)
	publish(leadershiptest.Leading(clock, "5")) // renewed
	want(`{"name":"web-5d9","last_update":"2026-11-22T10:00:01.5Z"}`)
	if got := ask(t, app, "GET", "/leader"); got.Code != 200 || !strings.Contains(got.Body.String(), `"token":"5"`) {
		t.Errorf("GET /leader: %d %s", got.Code, got.Body)
	}

	response, err := http.Get("http://" + served(t, app) + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	lines, last := bufio.NewReader(response.Body), leadershiptest.Leading(clock, "5")
	for _, step := range []struct {
		next *leadership.Leadership
		want string
	}{
		{nil, `{"name":"web-5d9","last_update":"2026-11-22T10:00:01.5Z"}`},
		{new(leadershiptest.Standby("web-x")), `{"name":"web-x","last_update":"2026-11-22T10:00:03.5Z"}`},
		{new(leadershiptest.Standby("")), `{"name":"","last_update":"2026-11-22T10:00:04.5Z"}`},
	} {
		if step.next != nil {
			clock.Advance(time.Second)
			publish(last)                      // nothing new, so no event
			time.Sleep(100 * time.Millisecond) // room for a wrong event, which the stream else may skip
			last = *step.next
			publish(last)
		}
		first, err1 := lines.ReadString('\n')
		second, err2 := lines.ReadString('\n')
		if err1 != nil || err2 != nil || first+second != "data: "+step.want+"\n\n" {
			t.Errorf("got %q, %v, %v, want %q", first+second, err1, err2, "data: "+step.want+"\n\n")
		}
	}
}
