//go:build linux

package harness

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Storm stands before the API server and answers in its place, as a load balancer or an overloaded server does. It
// knows HTTP where [Proxy] knows bytes: TLS ends in it, with the cluster's own certificate; bearer tokens pass
// through, and watches stream. It promises that a request whose [Fate] says so reaches the API server even when its
// sender has given up.
type Storm struct {
	host    string
	decide  atomic.Pointer[func(*http.Request) Fate]
	onwards *httputil.ReverseProxy
	ended   context.Context //nolint:containedctx // the storm's own lifetime, for requests that outlive their senders
}

// Fate is what becomes of a request. The zero value passes it.
type Fate struct {
	// Status is the answer in place of the API server's; 0: the API server's own.
	Status int
	// RetryAfter goes with Status, in whole seconds.
	RetryAfter time.Duration
	// Body is the answer's body in place of a Status object; it is JSON.
	Body []byte
	// Applied lets the API server take the request all the same, before it is answered with Status.
	Applied bool
	// Delay lets the request wait that long on its way. It is lost where its sender gives up meanwhile.
	Delay time.Duration
	// Late lets the request wait that long on its way, and reach the API server even when its sender has given up.
	Late time.Duration
	// Slow holds the API server's answer back that long; of a watch, the stream's beginning.
	Slow time.Duration
	// Date moves the answer's Date header, as a server does whose wall clock is that far ahead.
	Date time.Duration
	// Stall holds back what a watch brings, until it is closed. Nothing is lost: it arrives late.
	Stall <-chan struct{}
}

// stormEnds is how long a storm waits at its end for the requests under way, which it has asked to end.
const stormEnds = 5 * time.Second

// Storm starts a calm one before the cluster's API server. It ends with the test.
func (c *Cluster) Storm(t testing.TB) *Storm {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(c.pki.CertFile("apiserver"), c.pki.KeyFile("apiserver"))
	if err != nil {
		t.Fatalf("read the storm's certificate: %v", err)
	}
	transport, err := rest.TransportFor(&rest.Config{
		Host:            c.Host(),
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.pki.CAFile(), NextProtos: []string{"http/1.1"}},
	})
	if err != nil {
		t.Fatalf("make the storm's way to the API server: %v", err)
	}
	return newStorm(t, c.Host(), transport, certificate)
}

func newStorm(t testing.TB, target string, transport http.RoundTripper, certificate tls.Certificate) *Storm {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatalf("read the API server's address: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the storm: %v", err)
	}
	ended, end := context.WithCancel(context.Background())
	s := &Storm{host: "https://" + l.Addr().String(), ended: ended}
	silent := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // senders that give up are the point
	s.onwards = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(address) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: holdBack,
		ErrorHandler:   unreachable,
		ErrorLog:       silent,
	}
	server := &http.Server{
		Handler:           s,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}},
		BaseContext:       func(net.Listener) context.Context { return ended },
		ErrorLog:          silent,
		ReadHeaderTimeout: time.Minute,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the storm ended: %v", err)
		}
	}()
	t.Cleanup(func() {
		end()
		bounded, cancel := context.WithTimeout(context.Background(), stormEnds)
		defer cancel()
		_ = server.Shutdown(bounded) // joins the requests; a connection without any may outlast it
		_ = server.Close()
		<-done
	})
	return s
}

// Host is the storm's address, for a kubeconfig.
func (s *Storm) Host() string { return s.host }

// Faults sets what becomes of requests from now on: decide is called once for each, by many goroutines at once. It may
// read the body where it puts an equal one back. Nil calms the storm; requests under way keep their fate.
func (s *Storm) Faults(decide func(*http.Request) Fate) {
	if decide == nil {
		s.decide.Store(nil)
		return
	}
	s.decide.Store(&decide)
}

// ServeHTTP lets a request meet its fate.
func (s *Storm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var f Fate
	if decide := s.decide.Load(); decide != nil {
		f = (*decide)(r)
	}
	if f.Late > 0 || f.Applied {
		var err error
		if r, err = s.detach(r); err != nil {
			vanish() // the sender was gone before the whole request was here
		}
	}
	if f.Delay > 0 {
		if _, err := buffer(r); err != nil {
			vanish() // as above
		}
	}
	if !sleep(r.Context(), f.Late+f.Delay) {
		vanish()
	}
	if f.Applied {
		s.onwards.ServeHTTP(newUnread(), r)
	}
	if f.Status != 0 {
		f.answer(w)
		return
	}
	s.onwards.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), fateKey{}, f)))
}

// Proxy starts a line to the storm, in place of the API server behind it. It ends with the test.
func (s *Storm) Proxy(t testing.TB) *Proxy {
	t.Helper()
	return newProxy(t, s.Host())
}
