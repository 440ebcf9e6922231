package stopwait

import (
	"errors"
	"fmt"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// ErrNotDraining answers a workload that reports its end while nobody waits for it.
var ErrNotDraining = errors.New("no handover waits for the workload now: report after this replica has lost leadership, while validUntil is set")

// reports holds the workload's reports of its own stop.
type reports struct {
	until bootclock.Instant // the latest deadline of a drain in which it reported without naming a term
	token string            // the last term named; "" for none
}

// Observe takes every published leadership, in order: a report may come before [Waiter.Wait], and may name the last term led.
func (w *Waiter) Observe(l leadership.Leadership) {
	if !l.IsLeader {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token, w.fenced = l.Token, false
}

// Drained takes the workload's report that its work of the term with that token has stopped; "" means the draining term. l
// is the current leadership. It returns [ErrNotDraining] if l is not a drain's, and another error for the token of another
// term: a late report must not count for a later term.
func (w *Waiter) Drained(l leadership.Leadership, token string) error {
	if !l.Draining() {
		return ErrNotDraining
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case token == "":
		w.reports.until = max(w.reports.until, l.ValidUntil)
	case w.token != "" && token != w.token:
		return fmt.Errorf("the report is for the term with token %.40q, and the one that drains now has token %s: this stop is still to be reported",
			token, w.token)
	default:
		w.reports.token = token
	}
	close(w.reported)
	w.reported = make(chan struct{})
	return nil
}

// progress returns when the signals were applied in this drain (zero: not yet), and whether the workload has reported its stop.
func (w *Waiter) progress(d elector.Drain) (applied bootclock.Instant, reported bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.applied.token == d.Token {
		applied = w.applied.at
	}
	// One candidate's deadlines rise from term to term, and a drain's is never before the last of its term. So a report
	// without a token, with this deadline or a later one, was made in this drain.
	unnamed := !d.Until.IsZero() && !w.reports.until.Before(d.Until)
	return applied, unnamed || d.Token != "" && w.reports.token == d.Token
}
