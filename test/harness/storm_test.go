//go:build linux

package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStormDecidesFates gives one request each fate, and looks what the client hears and what reaches the server.
func TestStormDecidesFates(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fate    Fate
		status  int
		body    string // part of the answer
		applied bool
	}{
		{name: "calm", status: http.StatusOK, body: "well done", applied: true},
		{name: "refused", fate: Fate{Status: 503}, status: 503, body: `"code":503`},
		{name: "applied and refused", fate: Fate{Status: 503, Applied: true}, status: 503, body: `"code":503`, applied: true},
		{name: "throttled", fate: Fate{Status: 429, RetryAfter: 7 * time.Second}, status: 429, body: `"code":429`},
		{name: "answered by another", fate: Fate{Status: 200, Body: []byte(`{"old":true}`)}, status: 200, body: `{"old":true}`},
		{name: "late", fate: Fate{Late: 50 * time.Millisecond}, status: 200, body: "well done", applied: true},
		{name: "delayed", fate: Fate{Delay: 50 * time.Millisecond}, status: 200, body: "well done", applied: true},
		{name: "slow", fate: Fate{Slow: 50 * time.Millisecond}, status: 200, body: "well done", applied: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, client, server := weather(t)
			s.Faults(func(*http.Request) Fate { return tc.fate })
			began := time.Now()
			res, err := client.Post(s.Host()+"/"+tc.name, "text/plain", strings.NewReader("please"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != tc.status || !strings.Contains(string(body), tc.body) {
				t.Errorf("answered %d, %q, %v, want %d and %q", res.StatusCode, body, err, tc.status, tc.body)
			}
			if took := time.Since(began); took < max(tc.fate.Late, tc.fate.Delay, tc.fate.Slow) {
				t.Errorf("answered after %v, want the delay of the fate %+v", took, tc.fate)
			}
			if got := res.Header.Get("Retry-After"); (got == "7") != (tc.fate.RetryAfter > 0) {
				t.Errorf("Retry-After: %q", got)
			}
			if got := server.applied(); slices.Contains(got, "please") != tc.applied {
				t.Errorf("the server has applied %q, want the request: %v", got, tc.applied)
			}
		})
	}
}

// TestStormOutlivesItsSenders has a sender give up a request that is held back, and sends another one: a late request is applied
// all the same, after what came later, and a delayed one never arrives.
func TestStormOutlivesItsSenders(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fate    Fate
		applied []string
	}{
		{name: "late", fate: Fate{Late: 500 * time.Millisecond}, applied: []string{"second", "first"}},
		{name: "delayed", fate: Fate{Delay: 300 * time.Millisecond}, applied: []string{"second"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, client, server := weather(t)
			s.Faults(func(r *http.Request) Fate {
				if r.URL.Path == "/given-up" {
					return tc.fate
				}
				return Fate{}
			})
			impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			request, err := http.NewRequestWithContext(impatient, http.MethodPost, s.Host()+"/given-up", strings.NewReader("first"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(request)
			if err == nil {
				_ = res.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("the request gives %v, want none before the deadline", err)
			}
			res, err = client.Post(s.Host()+"/soon", "text/plain", strings.NewReader("second"))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			time.Sleep(time.Second) // beyond both fates
			if got := server.applied(); !slices.Equal(got, tc.applied) {
				t.Errorf("the server has applied %q, want %q", got, tc.applied)
			}
		})
	}
}

// TestStormAnswersNobodyWhoLeaves has a sender leave by closing its half of the connection, and read on: what was lost or held
// back until then gets no answer. An empty 200 would tell an elector that its write was carried out.
func TestStormAnswersNobodyWhoLeaves(t *testing.T) {
	const request = "POST /given-up HTTP/1.1\r\nHost: storm\r\nContent-Length: 5\r\n\r\n"
	for _, tc := range []struct {
		name string
		fate Fate
		body string
	}{
		{name: "delayed", fate: Fate{Delay: time.Minute}, body: "first"},
		{name: "held back", fate: Fate{Slow: time.Minute}, body: "first"},
		{name: "late, half sent", fate: Fate{Late: time.Minute}, body: "fi"},
		{name: "delayed, half sent", fate: Fate{Delay: time.Minute}, body: "fi"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, client, _ := weather(t)
			s.Faults(func(*http.Request) Fate { return tc.fate })
			trusting := client.Transport.(*http.Transport).TLSClientConfig
			conn, err := tls.Dial("tcp", strings.TrimPrefix(s.Host(), "https://"), trusting)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, request+tc.body); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // the request is in the storm
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); len(got) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("answered %q, %v, want the connection closed without an answer", got, err)
			}
		})
	}
}

// TestStormMovesDates moves the Date of an answer, and of no other.
func TestStormMovesDates(t *testing.T) {
	s, client, _ := weather(t)
	date := func() time.Time {
		res, err := client.Post(s.Host()+"/", "text/plain", strings.NewReader("please"))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		at, err := http.ParseTime(res.Header.Get("Date"))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	s.Faults(func(*http.Request) Fate { return Fate{Date: time.Hour} })
	moved := date()
	s.Faults(nil)
	if ahead := moved.Sub(date()); ahead < 50*time.Minute || ahead > 70*time.Minute {
		t.Errorf("the date is %v ahead, want an hour", ahead)
	}
}

// TestStormStallsAStream holds a stream's first part back, and lets it come in the end.
func TestStormStallsAStream(t *testing.T) {
	s, client, _ := weather(t)
	until := make(chan struct{})
	s.Faults(func(*http.Request) Fate { return Fate{Stall: until} })
	res, err := client.Post(s.Host()+"/stalled", "text/plain", strings.NewReader("please"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	heard := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(res.Body)
		heard <- string(b)
	}()
	select {
	case got := <-heard:
		t.Fatalf("heard %q from a stalled stream", got)
	case <-time.After(200 * time.Millisecond):
	}
	close(until)
	if got := <-heard; got != "well done" {
		t.Errorf("heard %q, want what was held back", got)
	}
}

// station is a plain server that remembers what it applied.
type station struct {
	mu     sync.Mutex
	bodies []string
}

func (s *station) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, string(body))
	s.mu.Unlock()
	_, _ = io.WriteString(w, "well done")
	_ = http.NewResponseController(w).Flush()
}

func (s *station) applied() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

// weather starts a server, a storm before it, and a client that trusts the storm.
func weather(t *testing.T) (*Storm, *http.Client, *station) {
	t.Helper()
	server := &station{}
	behind := httptest.NewServer(server)
	t.Cleanup(behind.Close)
	p, err := NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(p.CertFile("apiserver"), p.KeyFile("apiserver"))
	if err != nil {
		t.Fatal(err)
	}
	onwards, roots := &http.Transport{}, x509.NewCertPool()
	roots.AddCert(p.cert)
	near := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(onwards.CloseIdleConnections)
	s := newStorm(t, behind.URL, onwards, certificate)
	t.Cleanup(near.CloseIdleConnections)
	return s, &http.Client{Transport: near, Timeout: 30 * time.Second}, server
}
