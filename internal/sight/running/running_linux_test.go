package running

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(clientEnv)); len(args) == 3 {
		beClient(args[0], args[1], args[2])
	}
	goleak.VerifyTestMain(m)
}

// served is a Running behind a real listener.
type served struct {
	*Running
	*sighttest.Events
	t       *testing.T
	address string
	end     func() // ends the serving
}

func serve(t *testing.T, heartbeat time.Duration) *served {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", heartbeat)
}

func serveAt(t *testing.T, address string, heartbeat time.Duration) *served {
	t.Helper()
	s := &served{t: t, Events: sighttest.NewEvents()}
	s.Running = New(sight.PresenceConfig{Clock: bootclock.System{}, Ended: s.Ended, Log: slog.New(slog.DiscardHandler)})
	s.heartbeat = heartbeat
	listener, err := httpapi.Listen(address, http.HandlerFunc(s.late), slog.New(slog.DiscardHandler), 100)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addrs()[0]
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := listener.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	serving.Go(func() { s.Watch(ctx, s.Changed) })
	s.end = func() { cancel(); serving.Wait() }
	t.Cleanup(s.end)
	return s
}

// late answers; a client that says Early only once its sending side is known to have ended.
func (s *served) late(w http.ResponseWriter, request *http.Request) {
	if request.Header.Get("Early") != "" {
		<-request.Context().Done()
	}
	s.ServeHTTP(w, request)
}

func (s *served) wants(want sight.State, ending bool) {
	s.t.Helper()
	s.Wants(s.t, want, func() sight.State { return s.State(ending) })
}

// ask opens an answer.
func (s *served) ask() (net.Conn, *bufio.Reader) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "GET /running HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// answered opens an answer, and checks its status.
func (s *served) answered(status string) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	conn, lines := s.ask()
	if line, err := lines.ReadString('\n'); !strings.Contains(line, " "+status+" ") {
		s.t.Fatalf("got %q, %v; want the status %s", line, err, status)
	}
	return conn, lines
}

// awaitOpen waits until that many answers are open.
func (s *served) awaitOpen(want int) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d answers are open, want %d", open, want)
		}
	}
}

// What a client sends after its request does not hide its end, and it is Running until the last one ends, also where it was
// asked for while this replica stood by.
func TestSeveralAnswers(t *testing.T) {
	s := serve(t, time.Hour)
	s.Observe(leadershiptest.Standby(""))
	first, _ := s.answered("200")
	s.wants(sight.Running, true)
	if _, err := io.WriteString(first, strings.Repeat("GET / HTTP/1.1\r\n\r\n", 100)); err != nil {
		t.Fatal(err)
	}
	second, _ := s.answered("200")
	_ = first.Close()
	s.Observe(sighttest.Leads())
	if got := s.State(false); got != sight.Running {
		t.Errorf("asked for before the term: got %s", got)
	}
	s.awaitOpen(1)
	if got := s.State(true); got != sight.Running {
		t.Errorf("after the first one's end: got %s", got)
	}
	_ = second.Close()
	s.wants(sight.Stopped, true)
	s.WantsCrash(t)
}

// The seventeenth is refused, and one that has ended makes room.
func TestAnswersAreBounded(t *testing.T) {
	s := serve(t, time.Hour)
	var open []net.Conn
	for range maxOpen {
		conn, _ := s.answered("200")
		open = append(open, conn)
	}
	s.answered("503")
	_ = open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, lines := s.ask()
		if status, _ := lines.ReadString('\n'); strings.Contains(status, " 200 ") {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("no room was made")
		}
	}
}

// An open answer outlives the listener's own timeouts, by lines now and then.
func TestHeartbeats(t *testing.T) {
	s := serve(t, 20*time.Millisecond)
	_, lines := s.ask()
	for seen := 0; seen < 5; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "running\n" {
			seen++
		}
	}
	s.wants(sight.Running, true)
}

// The sidecar's own end says nothing about the workload.
func TestTheServingEnds(t *testing.T) {
	s := serve(t, time.Hour)
	s.Observe(sighttest.Leads())
	s.answered("200")
	s.end()
	for deadline := time.Now().Add(10 * time.Second); s.State(true) == sight.Running && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := s.State(true); got != sight.Unknown {
		t.Errorf("the client lives: got %s", got)
	}
	s.WantsNoCrash(t)
}
