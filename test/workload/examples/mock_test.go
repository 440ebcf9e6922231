//go:build linux

package examples

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// never is the status of an answer that does not come.
const never = 0

// picture is what a mock shows, in its directory and over HTTP.
type picture struct {
	answer   int    // GET /leader's status
	document string // in state.json, and the answer's body
	leader   time.Time
}

// mock stands in for a sidecar that publishes what no sidecar would.
type mock struct {
	dir, url  string
	documents http.HandlerFunc // nil: GET /leader is 404

	mu      sync.Mutex
	shown   picture
	drained int
	dead    bool
}

// newMock starts one that shows an empty directory and answers 503, until the test ends.
func newMock(t *testing.T) *mock {
	t.Helper()
	m := &mock{dir: filepath.Join(t.TempDir(), "signal"), shown: picture{answer: http.StatusServiceUnavailable}}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m.documents = m.leader
	server := httptest.NewServer(m)
	m.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return m
}

// ServeHTTP answers as a sidecar does, where it is not to lie.
func (m *mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/drained":
		m.mu.Lock()
		m.drained++
		m.mu.Unlock()
		w.WriteHeader(http.StatusConflict)
	case r.URL.Path == "/leader" && m.documents != nil:
		m.documents(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (m *mock) leader(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	shown, dead := m.shown, m.dead
	m.mu.Unlock()
	switch {
	case dead:
		panic(http.ErrAbortHandler) // the connection breaks
	case shown.answer == never:
		<-r.Context().Done()
	default:
		w.WriteHeader(shown.answer)
		_, _ = w.Write([]byte(shown.document)) // who does not wait for it shows in the transcript
	}
}

// show puts the picture in place, as a sidecar does: the document first, by rename, and the leader file last.
func (m *mock) show(t *testing.T, p picture) {
	t.Helper()
	m.mu.Lock()
	m.shown = p
	m.mu.Unlock()
	m.put(t, leadership.StateFile, p.document, time.Time{})
	if p.leader.IsZero() {
		m.remove(t, leadership.LeaderFile)
		return
	}
	m.put(t, leadership.LeaderFile, "99999\n", p.leader)
}

func (m *mock) put(t *testing.T, name, content string, modified time.Time) {
	t.Helper()
	aside := filepath.Join(m.dir, ".aside")
	if err := os.WriteFile(aside, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(aside, time.Time{}, modified); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, filepath.Join(m.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (m *mock) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(m.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// dieButForReports breaks every connection but those that report.
func (m *mock) dieButForReports() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// reports returns how often POST /drained came.
func (m *mock) reports() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drained
}

func (m *mock) wantDrained(t *testing.T) {
	t.Helper()
	eventually(t, "it reports that it is not at work", func() bool { return m.reports() > 0 })
}
