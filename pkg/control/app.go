package control

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// AppConfig is what the workload's handler needs; all of it.
type AppConfig struct {
	// Election answers and takes orders.
	Election Election
	// Clock judges the answers.
	Clock bootclock.Clock
	// Feed serves GET /events.
	Feed *Feed
	// Settler hears of POST /drained.
	Settler *Settler
	// Quit asks the process to end, as SIGTERM does. It must return at once.
	Quit func()
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

func (c AppConfig) drained(w http.ResponseWriter, _ *http.Request) {
	if err := c.Settler.Drained(now(c.Election, c.Clock)); err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	done(w, "noted: the work has stopped")
}

func (c AppConfig) quit(w http.ResponseWriter, _ *http.Request) {
	if !c.AllowStepDown && now(c.Election, c.Clock).IsLeader {
		fail(w, http.StatusForbidden, "this replica leads, and step-down is switched off: run the sidecar with --allow-step-down to allow it")
		return
	}
	done(w, "ending")
	c.Quit()
}
