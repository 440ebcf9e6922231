// Package webhook is the signal by HTTP: at each transition it sends the leadership document to a URL, by POST.
//
// It promises that renewals send nothing, that the newest document wins over whatever has not got through, that a
// request ends after the timeout, and that it goes where the URL says: no redirect is followed, no proxy of the
// environment is used, and no address that is link-local is dialled, by whatever name it was reached (a cloud's
// metadata service hands out credentials there).
//
// It does not promise that every transition is sent, nor that requests arrive in order: one that was given up may be
// read after the next. A receiver goes by the document's transitions and validUntil, never by the order of arrival.
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
	// largestHeader and largestBody bound what is read of an answer, in bytes.
	largestHeader = 16 << 10
	largestBody   = 4 << 10
)

// Config says where the documents go; all of it is needed.
type Config struct {
	// URL is what [ParseURL] returned.
	URL URL
	// Timeout bounds one request, from the dialling to the answer.
	Timeout time.Duration
	// Success holds the statuses by which the receiver says that it has taken the document.
	Success Statuses
	// Clock judges terms.
	Clock bootclock.Clock
}

// Signal sends documents.
type Signal struct {
	cfg    Config
	client *http.Client

	known bool // whether taken is what the receiver has
	taken leadership.Leadership
}

var _ signals.Signal = (*Signal)(nil)

// New returns the signal. It contacts nobody.
func New(cfg Config) *Signal {
	return &Signal{cfg: cfg, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // not the environment's: the document is for this receiver alone
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

// Apply sends the document of a leadership that differs from the last one taken by more than its validity. It takes the
// configured timeout at the most.
//
// A receiver on loopback that does not listen counts as having taken that this replica does not lead: it is the workload,
// which has not started yet or has exited, and waiting for it would hold up the start or the handover.
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
		return fmt.Errorf("call the webhook: %.500w", err) // it may repeat what the receiver sent, at any length
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, largestBody)) // the status is the answer
	if !s.cfg.Success.Include(response.StatusCode) {
		return fmt.Errorf("call the webhook: it answered %d, want %s", response.StatusCode, s.cfg.Success)
	}
	return nil
}
