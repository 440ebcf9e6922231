package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// maxBody bounds the bytes read of an answer, of which only the status counts.
const maxBody = 10 << 10

// presence says whether the endpoint exists, healthy or not.
type presence int

const (
	unclear presence = iota // no answer in time, or one that decides nothing
	there                   // something answers
	absent                  // connection refused, or no such file
)

// probe looks at the workload once. The error says that it is unhealthy.
type probe func(ctx context.Context) (presence, error)

func newProbe(cfg Config) (probe, error) {
	switch {
	case cfg.URL != "":
		return newHTTPProbe(cfg.URL)
	case cfg.TCP != "":
		return newTCPProbe(cfg.TCP)
	}
	return newFileProbe(cfg.File, cfg.FileMaxAge, cfg.Clock), nil
}

// newHTTPProbe returns a probe that gets a URL.
func newHTTPProbe(s string) (probe, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, field.Quoted("URL", s, "http://HOST:PORT/PATH, or https")
	}
	client := &http.Client{
		Transport: &http.Transport{
			// Connect anew each time: an old connection would outlive the listener.
			DisableKeepAlives: true,
			// Like the kubelet, this connects to an address, while the certificate is for the workload's name.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // nothing secret is sent
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) (presence, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s, nil)
		if err != nil {
			return unclear, err
		}
		request.Header.Set("User-Agent", "lease-sidecar")
		response, err := client.Do(request)
		if err != nil {
			return afterDial(err), err // it names the URL
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.CopyN(io.Discard, response.Body, maxBody)
		if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusBadRequest {
			return there, fmt.Errorf("get %s: status %d", s, response.StatusCode)
		}
		return there, nil
	}, nil
}

// newTCPProbe returns a probe that connects and closes the connection.
func newTCPProbe(s string) (probe, error) {
	a, err := address.Parse(s)
	if err != nil {
		return nil, field.Named("TCP", err)
	}
	network, at := "tcp", net.JoinHostPort(a.Host, a.Port)
	if a.Path != "" {
		network, at = "unix", a.Path
	}
	return func(ctx context.Context) (presence, error) {
		connection, err := new(net.Dialer).DialContext(ctx, network, at)
		if err != nil {
			return afterDial(err), err // it names the address
		}
		_ = connection.Close()
		return there, nil
	}, nil
}

// afterDial tells an endpoint that is gone from one that does not answer.
func afterDial(err error) presence {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return absent
	}
	return unclear
}

// newFileProbe returns a probe of a file's existence and age.
func newFileProbe(path string, maxAge time.Duration, clock bootclock.Clock) probe {
	return func(context.Context) (presence, error) {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return absent, err // it names the path
		case err != nil:
			return unclear, err
		}
		// A file from the future fails too, as somebody stepped the clock. The error names the time and not the age, which
		// would log each check as a new fault.
		at := info.ModTime()
		if maxAge > 0 && clock.Wall().Sub(at).Abs() > maxAge {
			return there, fmt.Errorf("look at %s: last changed at %s, not within %s of now", path, at.UTC().Format(time.RFC3339), maxAge)
		}
		return there, nil
	}
}
