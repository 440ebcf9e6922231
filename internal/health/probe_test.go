package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// What one look shows.
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
		{"a stale file", Config{File: age("stale", time.Hour), FileMaxAge: time.Minute}, there, "not within 1m0s of now"},
		{"a file from the future", Config{File: age("future", -time.Hour), FileMaxAge: time.Minute}, there, "not within 1m0s of now"},
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
			got, err := p(ctx)
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
			for _, err := range field.Flatten(quickConfig(c.change).Validate()) {
				if _, ok := errors.AsType[*field.Error](err); !ok {
					t.Errorf("%v is no field error", err)
				}
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := New(quickConfig(func(c *Config) { c.URL = "ftp://x/" }), &fakeElection{}); err == nil {
		t.Error("New took an URL that it cannot ask")
	}
}
