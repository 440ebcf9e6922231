package health

import (
	"context"
	"errors"
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
	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// candidate keeps what is reported to it, as "true: why".
type candidate struct {
	mu      sync.Mutex
	now     leadership.Leadership
	reports []string
}

func (c *candidate) SetHealthy(healthy bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, fmt.Sprintf("%v: %s", healthy, why))
}

func (c *candidate) Leadership() leadership.Leadership {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *candidate) set(l leadership.Leadership) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = l
}

// await waits until the last report begins so.
func (c *candidate) await(t *testing.T, want string) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		last = c.reports[len(c.reports)-1]
		c.mu.Unlock()
		if strings.HasPrefix(last, want) {
			return
		}
	}
	t.Fatalf("the last report is %q, want %q", last, want)
}

func quickConfig(change func(*Config)) Config {
	c := Config{
		Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond, Threshold: 3, SuccessThreshold: 1,
		Clock: bootclock.System{}, Log: slog.New(slog.DiscardHandler),
	}
	change(&c)
	return c
}

// checking runs a health check until the test ends.
func checking(t *testing.T, cfg Config) (*Checker, *candidate) {
	t.Helper()
	c := &candidate{}
	h, err := New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
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
		errs string // "" where the workload is healthy
	}{
		{"200", Config{URL: web.URL + "/200"}, there, ""},
		{"204", Config{URL: web.URL + "/204"}, there, ""},
		{"a redirect is healthy, and not followed", Config{URL: web.URL + "/moved"}, there, ""},
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
			if got != c.want || (err == nil) != (c.errs == "") || err != nil && !strings.Contains(err.Error(), c.errs) {
				t.Errorf("look: %v, %v, want %v, %q", got, err, c.want, c.errs)
			}
		})
	}
}

func TestConfigFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"nothing to check", func(*Config) {}, nil},
		{"an URL of another kind", func(c *Config) { c.URL = "ftp://x/" }, []string{`URL "ftp://x/": want http://HOST:PORT/PATH, or https`}},
		{"an URL without a host", func(c *Config) { c.URL = "http:///x" }, []string{`URL "http:///x": want http://HOST:PORT/PATH, or https`}},
		{"no URL", func(c *Config) { c.URL = "://" }, []string{`URL "://": want http://HOST:PORT/PATH, or https`}},
		{"a host's name", func(c *Config) { c.TCP = "app:80" }, []string{`TCP "app:80": want an IP address or localhost, not "app"`}},
		{"a port", func(c *Config) { c.TCP = "80" }, []string{`TCP "80": want HOST:PORT, :PORT or unix:PATH`}},
		{"two endpoints", func(c *Config) { c.TCP, c.File = ":80", "x" }, []string{`TCP ":80": want one of a URL, a TCP address and a file, not 2 of them`}},
		{"the age of no file", func(c *Config) { c.FileMaxAge = time.Second }, []string{"FileMaxAge 1s: want a file as well, whose age that bounds"}},
		{"too often", func(c *Config) { c.Interval, c.Timeout = 9*time.Millisecond, time.Hour }, []string{"Interval 9ms: want 10ms or more; 1s is usual"}},
		{"checks that overlap", func(c *Config) { c.Timeout = time.Second }, []string{"Timeout 1s: want no more than the interval 10ms, so that one check ends before the next"}},
		{"all at once", func(c *Config) { c.URL, c.Threshold, c.SuccessThreshold = "x", 0, 1001 }, []string{
			`URL "x": want http://HOST:PORT/PATH, or https`, "Threshold 0: want a whole number from 1 to 1000", "SuccessThreshold 1001: want a whole number from 1 to 1000",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			if all, ok := errors.AsType[*multierror.Error](quickConfig(c.change).Validate()); ok {
				for _, err := range all.Errors {
					if _, ok := err.(*field.Error); !ok {
						t.Errorf("%v is no field error", err)
					}
					got = append(got, err.Error())
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := New(quickConfig(func(c *Config) { c.URL = "ftp://x/" }), &candidate{}); err == nil {
		t.Error("New took an URL that it cannot ask")
	}
}

// The reports about a real server whose health comes and goes.
func TestHealthIsReportedToTheCandidate(t *testing.T) {
	var status atomic.Int32
	status.Store(500)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer app.Close()
	h, c := checking(t, quickConfig(func(c *Config) { c.URL, c.Timeout = app.URL, time.Second }))
	if h.Healthy() {
		t.Error("healthy before its health is known")
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
	if diff := cmp.Diff(want, c.reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
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
	h, c := checking(t, quickConfig(func(c *Config) {
		c.URL, c.Timeout, c.WhileLeading, c.Cooldown = app.URL, time.Second, true, time.Hour
	}))
	time.Sleep(50 * time.Millisecond)
	if n := asked.Load(); n != 0 || !h.Healthy() {
		t.Errorf("asked %d times, healthy %v, want 0, true", n, h.Healthy())
	}
	c.set(leadershiptest.Leading(bootclock.System{}, "5"))
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
	h, _ := checking(t, quickConfig(func(c *Config) { c.TCP, c.Timeout = address, time.Second }))
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
	h, c := checking(t, quickConfig(func(c *Config) { c.File = path }))
	c.await(t, "true")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stopSeen(t, h.Endpoint(), 100*time.Millisecond) {
		t.Error("a file that was removed counts as a stop")
	}
}
