package health

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// told is a candidate that keeps what it is told.
type told struct {
	mu    sync.Mutex
	level leadership.Leadership
	words []string
}

func (c *told) SetFit(fit bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words = append(c.words, fmt.Sprintf("%v: %s", fit, why))
}

func (c *told) Leadership() leadership.Leadership {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

// await waits until the last word begins so.
func (c *told) await(t *testing.T, want string) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		last = c.words[len(c.words)-1]
		c.mu.Unlock()
		if strings.HasPrefix(last, want) {
			return
		}
	}
	t.Fatalf("the last word is %q, want %q", last, want)
}

func quickHealth(change func(*Config)) Config {
	c := Config{
		Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond, Threshold: 3, SuccessThreshold: 1,
		Clock: bootclock.System{}, Log: slog.New(slog.DiscardHandler),
	}
	change(&c)
	return c
}

// checking runs a health check until the test ends.
func checking(t *testing.T, cfg Config) (*Checker, *told) {
	t.Helper()
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &told{}
	h.Judge(c)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return h, c
}

// TestLook: what one look makes of what is there.
func TestLook(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/500", http.StatusFound)
		case "/hangs":
			<-r.Context().Done()
		default:
			status := 0
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
			w.WriteHeader(status)
		}
	}))
	defer web.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer secure.Close()
	dir := t.TempDir()
	socket, err := net.Listen("unix", filepath.Join(dir, "app.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	age := func(name string, d time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if at := time.Now().Add(-d); os.Chtimes(path, at, at) != nil {
			t.Fatal("set the file's time")
		}
		return path
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want presence
		says string // "" where the workload is well
	}{
		{"200", Config{URL: web.URL + "/200"}, there, ""},
		{"204", Config{URL: web.URL + "/204"}, there, ""},
		{"a redirect is well, and not followed", Config{URL: web.URL + "/moved"}, there, ""},
		{"400", Config{URL: web.URL + "/400"}, there, "status 400"},
		{"503", Config{URL: web.URL + "/503"}, there, "status 503"},
		{"no answer in time", Config{URL: web.URL + "/hangs"}, unclear, "deadline"},
		{"a certificate of its own", Config{URL: secure.URL}, there, ""},
		{"refused", Config{URL: "http://" + nobody}, absent, "refused"},
		{"a connection", Config{TCP: web.Listener.Addr().String()}, there, ""},
		{"no connection", Config{TCP: nobody}, absent, "refused"},
		{"a socket", Config{TCP: "unix:" + socket.Addr().String()}, there, ""},
		{"no socket", Config{TCP: "unix:" + filepath.Join(dir, "none.sock")}, absent, "no such file"},
		{"a file", Config{File: age("old", time.Hour)}, there, ""},
		{"no file", Config{File: filepath.Join(dir, "none")}, absent, "no such file"},
		{"a fresh file", Config{File: age("fresh", 0), FileMaxAge: time.Minute}, there, ""},
		{"a stale file", Config{File: age("stale", time.Hour), FileMaxAge: time.Minute}, there, "ago, more than 1m0s"},
		{"a file from the future", Config{File: age("future", -time.Hour), FileMaxAge: time.Minute}, there, "more than 1m0s"},
		{"below a file", Config{File: filepath.Join(age("plain", 0), "x")}, unclear, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Clock = bootclock.System{}
			p, err := newProbe(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			got, err := p.look(ctx)
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("look: %v, %v, want %v, %q", got, err, c.want, c.says)
			}
		})
	}
}

func TestNewHealthRefuses(t *testing.T) {
	for _, c := range []Config{{URL: "ftp://x/"}, {URL: "http:///x"}, {URL: "://"}, {TCP: "app:80"}, {TCP: "80"}} {
		c.Clock = bootclock.System{}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("New(%q%q): %v, want an error with the mend", c.URL, c.TCP, err)
		}
	}
}

// TestHealthTellsTheCandidate: the real thing, an app whose health comes and goes.
func TestHealthTellsTheCandidate(t *testing.T) {
	var status atomic.Int32
	status.Store(500)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer app.Close()
	h, c := checking(t, quickHealth(func(c *Config) { c.URL, c.Timeout = app.URL, time.Second }))
	if h.Fit() {
		t.Error("fit before its health is known")
	}
	status.Store(200)
	c.await(t, "true")
	status.Store(503)
	c.await(t, "false: 3 health checks failed in a row, the last: get "+app.URL+": status 503")
	status.Store(200)
	c.await(t, "true")
	want := []string{
		"false: its health is not known yet", "true: its health checks pass",
		"false: 3 health checks failed in a row, the last: get " + app.URL + ": status 503", "true: its health checks pass",
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.words); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

// TestStandbyThatDoesNotRunIsNotChecked: such a workload has no endpoint before it leads.
func TestStandbyThatDoesNotRunIsNotChecked(t *testing.T) {
	var asked atomic.Int32
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(500)
	}))
	defer app.Close()
	h, c := checking(t, quickHealth(func(c *Config) {
		c.URL, c.Timeout, c.WhileLeading, c.Cooldown = app.URL, time.Second, true, time.Hour
	}))
	time.Sleep(50 * time.Millisecond)
	if n := asked.Load(); n != 0 || !h.Fit() {
		t.Errorf("asked %d times, fit %v, want 0, true", n, h.Fit())
	}
	c.mu.Lock()
	c.level = leadershiptest.Leading(bootclock.System{}, "5")
	c.mu.Unlock()
	c.await(t, "false: 3 health checks")
}

// stopSeen reports whether a watch of the endpoint comes to see the workload's stop within d, and joins it.
func stopSeen(t *testing.T, e *Endpoint, d time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	changed, left := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(left)
		e.Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	defer func() {
		cancel()
		<-left
		if got := e.State(true); got != sight.Unknown {
			t.Errorf("%v though nobody watches", got)
		}
	}()
	for e.State(false) != sight.Stopped {
		select {
		case <-changed:
		case <-left:
			return false
		}
	}
	return true
}

// TestEndpointGoneIsAStop: once it was there. Its presence is no sight of a workload that runs.
func TestEndpointGoneIsAStop(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	address := app.Listener.Addr().String()
	app.Listener.Close()
	h, _ := checking(t, quickHealth(func(c *Config) { c.TCP, c.Timeout = address, time.Second }))
	e := h.Endpoint()
	if e.Kills() || e.Name() != "health" {
		t.Errorf("kills %v, name %q", e.Kills(), e.Name())
	}
	if stopSeen(t, e, 100*time.Millisecond) {
		t.Error("an endpoint that was never there counts as a stop")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	app.Listener = listener
	app.Start()
	for !h.seen.Load() {
		time.Sleep(time.Millisecond)
	}
	if stopSeen(t, e, 100*time.Millisecond) {
		t.Error("stopped while the endpoint is there")
	}
	time.AfterFunc(50*time.Millisecond, app.Close)
	if !stopSeen(t, e, 5*time.Second) {
		t.Error("not stopped though the endpoint is gone")
	}
}

// TestFileIsNoSight: a crash removes no file, and a file that is removed shows no end.
func TestFileIsNoSight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "healthy")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, c := checking(t, quickHealth(func(c *Config) { c.File = path }))
	c.await(t, "true")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stopSeen(t, h.Endpoint(), 100*time.Millisecond) {
		t.Error("a file that was removed counts as a stop")
	}
}
