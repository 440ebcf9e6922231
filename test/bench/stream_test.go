//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestStreams opens as many event streams on one sidecar as it serves, up to the wanted number, and hands over to it: how long it takes
// from its leader file until each client has the change, and how much memory a stream needs. The next stream is refused.
func TestStreams(t *testing.T) {
	cluster := harness.Start(t)
	wanted := sized(*streams, 1000, 1000)
	for _, b := range builds(t) {
		e := harness.NewElection(t, cluster, leaseDuration)
		e.ShipFree(t)
		e.Flags = []string{"--drain-timeout", "1ms"} // there is no workload
		old := replica(t, e, "web-0", b.path, false)
		harness.AwaitLeader(t, leaseDuration+slack, old)
		next := replica(t, e, "web-1", b.path, false)
		harness.Eventually(t, slack, "the standby knows the leader", func() bool { return next.State().Leader == old.Pod })

		empty := privateOf(t, next)
		var open []*stream
		for len(open) < wanted {
			s, err := openStream(t, next.HTTP)
			if err != nil {
				if len(open) == 0 {
					t.Fatal(err)
				}
				t.Logf("%s: stream %d: %v", b.name, len(open)+1, err)
				break
			}
			open = append(open, s)
		}
		if len(open) == wanted {
			if _, err := openStream(t, next.HTTP); !errors.Is(err, errRefused) {
				t.Errorf("%s: stream %d: %v, want it refused", b.name, wanted+1, err)
			}
		}
		full := privateOf(t, next)
		record(t, result.Series{Figure: "sse/clients", Subject: b.subject, Values: []float64{float64(len(open))}, Note: "the next one is refused with 503"})
		record(t, result.Series{
			Figure: "sse/memory", Subject: b.subject, Unit: "MiB", At: float64(len(open)), Values: []float64{(full - empty) / float64(len(open))},
			Note: fmt.Sprintf("private memory for each stream: %.1f MiB with %d of them, %.1f MiB without", full, len(open), empty),
		})
		record(t, result.Series{
			Figure: "sse/latency", Subject: b.subject, Unit: "ms", At: float64(len(open)), Values: milliseconds(changeOver(t, old, next, open)),
			Note: "from the leader file until the client has the event; the clients share the machine",
		})
		for _, s := range open {
			_ = s.conn.Close()
		}
	}
}

// privateOf is the private memory of a replica, in MiB.
func privateOf(t *testing.T, s *harness.Sidecar) float64 {
	t.Helper()
	u, alive := usageOf(s.PID())
	if !alive {
		t.Fatalf("%s has ended", s.Pod)
	}
	return u.private
}

// changeOver has one replica hand over to the other, and returns when each stream of that one had the change, from its leader file on.
func changeOver(t *testing.T, old, next *harness.Sidecar, open []*stream) []time.Duration {
	t.Helper()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(next.Dir); err != nil {
		t.Fatal(err)
	}
	came := make([]time.Time, len(open))
	var reading sync.WaitGroup
	for i, s := range open {
		reading.Go(func() {
			var err error
			if came[i], err = s.untilLeader(); err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	old.StepDown(t)
	late := time.After(leaseDuration + slack)
	var written time.Time
	for written.IsZero() {
		select {
		case event := <-watcher.Events:
			if filepath.Base(event.Name) == leadership.LeaderFile && event.Has(fsnotify.Create) {
				written = time.Now()
			}
		case <-late:
			t.Fatal("nobody took over")
		}
	}
	reading.Wait()
	took := make([]time.Duration, len(open))
	for i := range took {
		took[i] = max(0, came[i].Sub(written)) // an event may come before the file
	}
	return took
}

// errRefused is a stream that the sidecar does not serve, as too many are open.
var errRefused = errors.New("503, Retry-After: 5")

// stream is a client of the event stream.
type stream struct {
	conn net.Conn
	read *bufio.Reader
}

// openStream opens a stream and reads the first event.
func openStream(t *testing.T, address string) (*stream, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "5" {
		return nil, errors.Join(errRefused, conn.Close())
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /events: %s", answer.Status)
	}
	s := &stream{conn: conn, read: bufio.NewReaderSize(answer.Body, 1<<10)}
	_, err = s.event()
	return s, err
}

// event reads the next event.
func (s *stream) event() (l leadership.Leadership, err error) {
	for {
		line, err := s.read.ReadString('\n')
		if err != nil {
			return l, err
		}
		if document, ok := strings.CutPrefix(line, "data: "); ok {
			return l, json.Unmarshal([]byte(document), &l)
		}
	}
}

// untilLeader reads until an event says that this replica leads, and returns when it came.
func (s *stream) untilLeader() (time.Time, error) {
	for {
		l, err := s.event()
		if err != nil || l.IsLeader {
			return time.Now(), err
		}
	}
}
