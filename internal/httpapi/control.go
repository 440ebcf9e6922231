package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxBody bounds the body of an order in bytes. Only the report of a stop has a body, with its token.
const maxBody = 1 << 10

type loopbackKey struct{}

// withLoopback records in the context whether the listener is reachable from this machine only.
func withLoopback(ctx context.Context, loopback bool) context.Context {
	return context.WithValue(ctx, loopbackKey{}, loopback)
}

// localOnly refuses orders that come from another machine or a web page. Otherwise anybody could take leadership away
// through a public address, a name that resolves to loopback, or a service mesh that forwards requests.
func localOnly(order http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := refusal(r); err != nil {
			fail(w, http.StatusForbidden, err.Error())
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			status := http.StatusBadRequest
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				status = http.StatusRequestEntityTooLarge
			}
			fail(w, status, fmt.Sprintf("read the request's body: %v: send none", err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		order(w, r)
	}
}

// localStream applies the same rule to a stream, as an open answer holds the lead. It is a GET, which web pages may send
// anywhere, but the headers that every browser adds reveal them.
func localStream(h http.Handler) http.HandlerFunc {
	return localOnly(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			fail(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s /running: want GET, whose answer stays open", r.Method))
			return
		}
		for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
			if r.Header.Get(header) != "" {
				fail(w, http.StatusForbidden, "/running is not for web pages, and this request has the header "+header)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

var crossOrigin = http.NewCrossOriginProtection()

// refusal returns why the request may not give orders, or nil.
func refusal(r *http.Request) error {
	if local, _ := r.Context().Value(loopbackKey{}).(bool); !local {
		return errors.New("orders are taken on a loopback address only: have the sidecar listen at 127.0.0.1:PORT or unix:PATH")
	}
	if !loopbackHost(r.Host) {
		return fmt.Errorf("orders are taken for a loopback Host only, not %q: ask http://localhost", r.Host)
	}
	for _, header := range []string{"Forwarded", "X-Forwarded-For"} {
		if r.Header.Get(header) != "" {
			return fmt.Errorf("orders are not taken through a proxy, and this one has the header %s: ask http://localhost from within the pod", header)
		}
	}
	if err := crossOrigin.Check(r); err != nil {
		return fmt.Errorf("orders are not taken from web pages: %w", err)
	}
	return nil
}

// loopbackHost reports whether a Host header, with or without a port, is a loopback name.
func loopbackHost(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = name
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
