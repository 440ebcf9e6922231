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

// maxBody bounds the body of an order, in bytes. Only a report of a stop has one, with its token.
const maxBody = 1 << 10

type loopbackKey struct{}

// withLoopback records in a request's context whether its listener can be reached from this machine only.
func withLoopback(ctx context.Context, loopback bool) context.Context {
	return context.WithValue(ctx, loopbackKey{}, loopback)
}

// localOnly passes only orders that come from this machine, and from no web page: anybody who reaches a public address, a
// name that a browser resolves to loopback, or a service mesh that forwards a stranger's request could take leadership away.
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

// localStream passes only requests that may give orders, as an answer that stays open holds the lead. It is a GET, which web
// pages may send anywhere: the headers that every browser adds give them away.
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

// refusal says why the request may not give orders; nil when it may.
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

// loopbackHost reports whether a Host header, with or without a port, names this machine by loopback.
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
