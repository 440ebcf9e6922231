package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// document is a leader's, whose term ends in d, on this boot's clock or another's.
func document(t *testing.T, d time.Duration, bootID string) string {
	t.Helper()
	l := leadership.Leadership{
		Lease: "l", Namespace: "n", Identity: "web-a", IsLeader: true, Leader: "web-a", Token: "7", BootID: bootID,
		Since: time.Now(), ValidUntil: bootclock.System{}.Now().Add(d), ValidUntilWall: time.Now().Add(d),
	}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// serve answers every request so, and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *Sidecar {
	t.Helper()
	server := httptest.NewServer(handler)
	s, err := New(strings.TrimPrefix(server.URL, "http://"), podid.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

func TestLeadership(t *testing.T) {
	here, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, body string
		status     int
		leads      bool
		fails      bool
	}{
		{"leads", document(t, time.Hour, here), 200, true, false},
		{"term over when the answer comes", document(t, -time.Nanosecond, here), 200, false, false},
		{"on a clock that is not ours", document(t, -time.Nanosecond, "another"), 200, true, false},
		{"says no", document(t, -time.Nanosecond, here), 503, false, false},
		{"is no sidecar", "<html>", 200, false, true},
		{"does not know the path", "", 404, false, true},
		{"says too much", document(t, time.Hour, here) + strings.Repeat(" ", leadership.DocumentMax), 200, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/leader" {
					t.Errorf("it asked %s %s", r.Method, r.URL)
				}
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			})
			l, err := s.Leadership(t.Context())
			if l.IsLeader != tc.leads || (err != nil) != tc.fails {
				t.Errorf("got %+v, %v", l, err)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path == "/step-down" {
			http.Error(w, "this replica does not lead", http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	if err := s.Order(t.Context(), "/drained"); err != nil {
		t.Error(err)
	}
	const want = "the sidecar refused /step-down (409): this replica does not lead"
	if err := s.Order(t.Context(), "/step-down"); err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

// Each leadership comes as it is sent. A caller who has seen enough ends the stream, and so does the server.
func TestFollow(t *testing.T) {
	here, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, ": hello\n\ndata: %s\n\nevent: x\ndata: %s\n\n", document(t, -1, here), document(t, time.Hour, here))
	})
	var got []bool
	each := func(l leadership.Leadership) error {
		got = append(got, l.IsLeader)
		return nil
	}
	if err := s.Follow(t.Context(), each); err != nil {
		t.Error(err)
	}
	enough := errors.New("enough")
	if err := s.Follow(t.Context(), func(leadership.Leadership) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v; want %v", err, enough)
	}
	if diff := cmp.Diff([]bool{false, true}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFollowRefused(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if err := s.Follow(t.Context(), nil); err == nil {
		t.Error("a refusal was taken for a stream")
	}
	endless := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 3*leadership.DocumentMax))
	})
	if err := endless.Follow(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "is something else at 127.0.0.1:") {
		t.Errorf("a line without end: %v", err)
	}
	garbage := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data: yes\n\n") })
	if err := garbage.Follow(t.Context(), nil); err == nil {
		t.Error("garbage was taken for a leadership")
	}
}

// Another pod's answer is refused with what to do, and its sidecar gets no order.
func TestAnotherPodAnswers(t *testing.T) {
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	for name, tc := range map[string]struct{ header, says string }{
		"by its header":   {"apps/web-b/" + two, "answered at 127.0.0.1:"},
		"by its identity": {"", ": web-a, and this pod is web-x/" + one + ": with hostNetwork"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					t.Error("it got an order")
				}
				w.Header().Set(podid.Header, tc.header)
				fmt.Fprint(w, strings.Repeat("data:", strings.Count(r.URL.Path, "events")), document(t, time.Hour, "another"), "\n\n")
			})
			s.pod = podid.Pod{Name: "web-x", UID: one}
			_, err := s.Leadership(t.Context())
			for what, err := range map[string]error{
				"Leadership": err, "Order": s.Order(t.Context(), "/step-down"),
				"Follow": s.Follow(t.Context(), func(leadership.Leadership) error { return errors.New("it was believed") }),
			} {
				if !errors.Is(err, ErrOtherPod) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: got %v; want %v and %q", what, err, ErrOtherPod, tc.says)
				}
			}
		})
	}
}

func TestOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "localhost" {
			t.Errorf("Host %q is refused by the sidecar's guard", r.Host)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	server.Listener.Close()
	server.Listener = socket
	server.Start()
	s, err := New("unix:"+path, podid.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Order(t.Context(), "/drained"); err != nil {
		t.Error(err)
	}
	s.Close()
	server.Close()
	if err := s.Order(context.Background(), "/drained"); err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("nobody there: got %v", err)
	}
}
