package httpapi

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
)

// MaxDebugConnections bounds the open connections of the debug listener.
const MaxDebugConnections = 16

// NewDebugHandler returns the handler for profiles of this process, at the paths that `go tool pprof` knows, and for all metrics of
// the Go runtime. Nothing is collected before it is asked for. It answers requests to a loopback Host only: otherwise a web page could
// ask for profiles by a name that resolves to loopback.
func NewDebugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and each profile by its name: heap, goroutine, mutex, …
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /debug/metrics", runtimeMetrics())
	served := plain(podid.Pod{}, explained(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			fail(w, http.StatusForbidden, fmt.Sprintf("profiles are given to a loopback Host only, not %q: ask http://localhost", r.Host))
			return
		}
		served.ServeHTTP(w, r)
	})
}

// runtimeMetrics serves the metrics of the Go runtime and of the process in Prometheus' text format.
func runtimeMetrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
