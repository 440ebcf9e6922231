package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is the part of the elector that HTTP uses. Its methods must be safe for concurrent use.
type Election interface {
	// Leadership returns the current leadership.
	Leadership() leadership.Leadership
	// StepDown asks for a handover and returns nil once the order is taken; [elector.ErrNotLeading] on a standby,
	// [elector.ErrDraining] during a handover.
	StepDown(cause string) error
	// Leave says that the pod is about to end: the replica takes the Lease no more.
	Leave()
	// Ready returns nil once the Lease was read and nothing keeps this replica from leading, else the reason.
	Ready() error
	// Alive returns nil once the election's loop has turned, or an error if ctx ends first.
	Alive(ctx context.Context) error
}

var _ Election = (*elector.Elector)(nil)

// WorkloadConfig is what the workload's handler needs. Every field but Running, Members and Pod is required.
type WorkloadConfig struct {
	// Election answers questions and takes orders.
	Election Election
	// Clock judges the answers.
	Clock bootclock.Clock
	// Feed serves GET /events.
	Feed *Feed
	// Drained takes POST /drained: the workload's report that its work of the term with that token has stopped ("": of the
	// draining term). An error is the reason for a refusal.
	Drained func(l leadership.Leadership, token string) error
	// Quit asks the process to end, as SIGTERM does. It must not block.
	Quit func()
	// Running serves GET /running, whose answer stays open while the workload runs. It may be nil.
	Running http.Handler
	// Members returns the document of the members; nil: this replica does not know them.
	Members func() any
	// AllowStepDown lets any container of the pod take leadership away.
	AllowStepDown bool
	// Compat is the sidecar to imitate; "" is CompatOff.
	Compat Compat
	// Pod is the sidecar's own. Every answer but CompatClassic's names it.
	Pod podid.Pod
}

// NewWorkloadHandler returns the handler for the workload's address. It takes orders only over a loopback [Listener].
func NewWorkloadHandler(c WorkloadConfig) http.Handler {
	mux := http.NewServeMux()
	switch c.Compat {
	case CompatClassic:
		return http.HandlerFunc(c.classic) // a mux would redirect /a//b
	case CompatNais:
		mux.HandleFunc("GET /{$}", c.nais)
		mux.HandleFunc("GET /sse", c.Feed.naisSSE)
	default:
		mux.HandleFunc("GET /{$}", c.name)
	}
	mux.HandleFunc("GET /leader", leader(c.Election, c.Clock))
	mux.Handle("GET /events", c.Feed)
	if c.Running != nil {
		mux.HandleFunc("GET /running", localStream(c.Running))
	}
	if c.Members != nil {
		mux.HandleFunc("GET /members", func(w http.ResponseWriter, _ *http.Request) { replyJSON(w, http.StatusOK, c.Members()) })
	}
	mux.HandleFunc("POST /step-down", localOnly(c.stepDown))
	mux.HandleFunc("POST /leave", localOnly(c.leave))
	mux.HandleFunc("POST /drained", localOnly(c.drained))
	mux.HandleFunc("POST /quitquitquit", localOnly(c.quit))
	return plain(c.Pod, explained(mux))
}

// name answers like the classic sidecar, to the byte.
func (c WorkloadConfig) name(w http.ResponseWriter, _ *http.Request) {
	replyExact(w, name{Name: now(c.Election, c.Clock).Leader})
}

// stepDown answers 202 only if the election has taken the order.
func (c WorkloadConfig) stepDown(w http.ResponseWriter, _ *http.Request) {
	if !c.AllowStepDown {
		fail(w, http.StatusForbidden, "step-down is switched off in the sidecar's configuration (allow-step-down)")
		return
	}
	err := c.Election.StepDown("POST /step-down")
	switch {
	case err == nil:
		done(w, "handing over")
	case errors.Is(err, elector.ErrNotLeading):
		fail(w, http.StatusConflict, "this replica does not lead: ask the one that does"+c.whoLeads())
	case errors.Is(err, elector.ErrDraining):
		fail(w, http.StatusConflict, "already handing over: the Lease is released once the workload has stopped")
	default:
		fail(w, http.StatusInternalServerError, err.Error())
	}
}

// leave is taken at any time: it takes nothing away from a leader.
func (c WorkloadConfig) leave(w http.ResponseWriter, _ *http.Request) {
	c.Election.Leave()
	done(w, "leaving: this replica takes the Lease no more")
}

func (c WorkloadConfig) whoLeads() string {
	if name := now(c.Election, c.Clock).Leader; name != "" {
		return ", " + name
	}
	return ""
}

// drained reads the token from the query (?token=) or a JSON body. Without one, the report is for the current drain.
func (c WorkloadConfig) drained(w http.ResponseWriter, r *http.Request) {
	token, err := tokenOf(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := c.Drained(now(c.Election, c.Clock), token); err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	done(w, "noted: the work has stopped")
}

func tokenOf(r *http.Request) (string, error) {
	token := r.URL.Query().Get("token")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", fmt.Errorf("read the report: %w", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return token, nil
	}
	var report struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return "", errors.New(`the report's body cannot be read: want {"token":"<the token of the term that has stopped>"}, or no body`)
	}
	if token != "" && report.Token != "" && token != report.Token {
		return "", errors.New("the report's body and its query name two tokens: name one")
	}
	return cmp.Or(report.Token, token), nil
}

func (c WorkloadConfig) quit(w http.ResponseWriter, _ *http.Request) {
	if !c.AllowStepDown && now(c.Election, c.Clock).IsLeader {
		fail(w, http.StatusForbidden, "this replica leads, and step-down is switched off in the sidecar's configuration (allow-step-down)")
		return
	}
	done(w, "ending")
	c.Quit()
}
