package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// AppConfig is what the workload's handler needs; all of it.
type AppConfig struct {
	// Election answers and takes orders.
	Election Election
	// Clock judges the answers.
	Clock bootclock.Clock
	// Feed serves GET /events.
	Feed *Feed
	// Drained takes POST /drained: the workload's word that its work of the term with that token ("": of the one that
	// drains) has stopped. An error is the reason for not taking it.
	Drained func(l leadership.Leadership, token string) error
	// Quit asks the process to end, as SIGTERM does. It must return at once.
	Quit func()
	// Running serves GET /running, whose answer stays open while the workload runs; nil: nothing does.
	Running http.Handler
	// AllowStepDown lets any container of the pod take leadership away.
	AllowStepDown bool
	// Compat is whose answers to give; "" is CompatOff.
	Compat Compat
	// Pod is whose sidecar this is, which every answer says but CompatClassic's.
	Pod Pod
}

// NewApp returns the handler for --http-address. It takes orders only where [Listener.Serve] vouches for the address.
func NewApp(c AppConfig) http.Handler {
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
		mux.HandleFunc("GET /running", stay(c.Running))
	}
	mux.HandleFunc("POST /step-down", guard(c.stepDown))
	mux.HandleFunc("POST /drained", guard(c.drained))
	mux.HandleFunc("POST /quitquitquit", guard(c.quit))
	return c.Pod.header(plain(mux))
}

// name answers as the classic leader-elector sidecar did, to the byte.
func (c AppConfig) name(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(classicName{now(c.Election, c.Clock).Leader})
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	reply(w, http.StatusOK, contentJSON, body)
}

func (c AppConfig) stepDown(w http.ResponseWriter, _ *http.Request) {
	if !c.AllowStepDown {
		fail(w, http.StatusForbidden, "step-down is switched off: run the sidecar with --allow-step-down to allow it")
		return
	}
	err := c.Election.StepDown("POST /step-down")
	switch {
	case err == nil:
		done(w, "handing over")
	case errors.Is(err, elector.ErrNotLeading) && c.draining():
		fail(w, http.StatusConflict, "already handing over: the Lease is released once the workload has stopped")
	case errors.Is(err, elector.ErrNotLeading):
		fail(w, http.StatusConflict, "this replica does not lead: ask the one that does"+c.whoLeads())
	case errors.Is(err, elector.ErrDraining):
		fail(w, http.StatusConflict, err.Error())
	default:
		fail(w, http.StatusInternalServerError, err.Error())
	}
}

// draining reports whether a handover is under way: the workload was told to stop, and the Lease is still held.
func (c AppConfig) draining() bool {
	l := now(c.Election, c.Clock)
	return !l.IsLeader && !l.ValidUntil.IsZero()
}

func (c AppConfig) whoLeads() string {
	if name := now(c.Election, c.Clock).Leader; name != "" {
		return ", " + name
	}
	return ""
}

// drained takes the token from the query (?token=) or from a JSON body; without either the report is for this drain.
func (c AppConfig) drained(w http.ResponseWriter, r *http.Request) {
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
		return "", errors.New(`the report's body makes no sense: want {"token":"<the token of the term that has stopped>"}, or no body`)
	}
	if token != "" && report.Token != "" && token != report.Token {
		return "", errors.New("the report's body and its query name two tokens: name one")
	}
	return cmp.Or(report.Token, token), nil
}

func (c AppConfig) quit(w http.ResponseWriter, _ *http.Request) {
	if !c.AllowStepDown && now(c.Election, c.Clock).IsLeader {
		fail(w, http.StatusForbidden, "this replica leads, and step-down is switched off: run the sidecar with --allow-step-down to allow it")
		return
	}
	done(w, "ending")
	c.Quit()
}
