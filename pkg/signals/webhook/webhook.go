// Package webhook signals by HTTP: at each transition it POSTs the leadership document to a URL.
//
// It promises that renewals send nothing, that the newest document replaces any that was not delivered, that a request ends
// after the timeout, and that it goes only where the URL says: it follows no redirect, uses no proxy of the environment, and
// dials no link-local address, whatever name resolves to it (a cloud's metadata service gives out credentials there).
//
// It does not promise that every transition is sent, nor that requests arrive in order: the receiver may read an abandoned
// one after the next. A receiver must go by the document's transitions and validUntil.
//
//	leadership ── a new term, or none ──▶ POST document ──▶ a success status: applied
//	          └── a renewal ──▶ nothing             └──────▶ anything else: again, with the newest
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

const (
	// largestHeader and largestBody bound the bytes read of an answer.
	largestHeader = 16 << 10
	largestBody   = 4 << 10
)

// Config says where documents go. Every field is required.
type Config struct {
	// URL is what [ParseURL] returned.
	URL URL
	// Timeout bounds one request, from dialling to the answer.
	Timeout time.Duration
	// Success holds the statuses by which the receiver accepts the document.
	Success Statuses
	// Clock judges terms.
	Clock bootclock.Clock
}

// Signal sends documents.
type Signal struct {
	cfg    Config
	client *http.Client

	known bool // taken is what the receiver has
	taken leadership.Leadership
}

var _ signals.Signal = (*Signal)(nil)

// New returns the signal. It makes no request.
func New(cfg Config) *Signal {
	return &Signal{cfg: cfg, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // not the environment's: only this receiver may see the document
			DialContext:            dialer().DialContext,
			DisableKeepAlives:      true, // transitions are rare
			DisableCompression:     true,
			MaxResponseHeaderBytes: largestHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name returns "webhook".
func (s *Signal) Name() string { return "webhook" }

// Apply sends the document if it differs from the last one accepted by more than its validity. It takes at most the timeout.
//
// A receiver on loopback that does not listen counts as knowing that this replica does not lead: it is the workload, which
// has not started yet or has exited, and waiting for it would delay the start or the handover.
func (s *Signal) Apply(ctx context.Context, l leadership.Leadership) error {
	l = l.At(s.cfg.Clock.Now())
	if s.known && s.taken.SameTerm(l) {
		return nil
	}
	s.known = false
	err := s.post(ctx, l)
	if !l.IsLeader && s.cfg.URL.Loopback() && errors.Is(err, syscall.ECONNREFUSED) {
		err = nil
	}
	if err != nil {
		return err
	}
	s.known, s.taken = true, l
	return nil
}

func (s *Signal) post(ctx context.Context, l leadership.Leadership) error {
	document, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("print the leadership document: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL.String(), bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("call the webhook: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "lease-sidecar")
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("call the webhook: %.500w", err) // it may repeat what the receiver sent, of any length
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, largestBody)) // the status is the answer
	if !s.cfg.Success.Include(response.StatusCode) {
		return fmt.Errorf("call the webhook: it answered %d, want %s", response.StatusCode, s.cfg.Success)
	}
	return nil
}
