package metrics

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// Values of the label "to" of transitions.
const (
	toLeader  = "leader"
	toStandby = "standby"
)

// Config names what the metrics are of.
type Config struct {
	// Lease is the Lease's name.
	Lease string
	// Version is the program's.
	Version string
	// Clock judges validity at the scrape.
	Clock bootclock.Clock
	// Signals are the names of the signals in use, so that their metrics are there before their first attempt.
	Signals []string
	// Fit reports whether the workload is fit to lead; nil: it always is.
	Fit func() bool
}

// Election is whose leadership is computed at each scrape.
type Election interface {
	// Leadership returns what is known now.
	Leadership() leadership.Leadership
}

// Metrics keeps what Prometheus scrapes. All series are there from the start: an alert on "no leader" must not wait for
// the first leader. Its methods may be called from several goroutines at once.
type Metrics struct {
	cfg      Config
	handler  http.Handler
	election atomic.Pointer[Election]

	transitions     *prometheus.CounterVec
	requests        *prometheus.HistogramVec
	requestFailures *prometheus.CounterVec
	lastRenewal     prometheus.Gauge
	signals         *prometheus.HistogramVec
	signalFailures  *prometheus.CounterVec
	abandoned       prometheus.Counter

	mu   sync.Mutex
	last leadership.Leadership
}

var (
	_ elector.Observer = (*Metrics)(nil)
	_ signals.Observer = (*Metrics)(nil)
)

// New returns the metrics of one election, all at zero. [Metrics.Follow] says whose it is.
func New(cfg Config) *Metrics {
	if cfg.Fit == nil {
		cfg.Fit = func() bool { return true }
	}
	m := &Metrics{
		cfg: cfg,
		transitions: counters("transitions_total",
			"Times that this replica began a term (to=\"leader\") or ended one (to=\"standby\").", "to"),
		requests: latencies("request_duration_seconds",
			"Time that requests for the Lease took, well or not, by verb.", "verb", 0.005, 0.025, 0.1, 0.5, 2.5),
		requestFailures: counters("request_failures_total",
			"Requests for the Lease that were not answered well, by verb; a lost race for a free Lease is one.", "verb"),
		lastRenewal: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: namespaced("last_renewal_timestamp_seconds"),
			Help: "When this replica last took or renewed the Lease, in seconds since 1970; 0 when it never did.",
		}),
		signals: latencies("signal_duration_seconds",
			"Time from the moment that a fact became known to the end of an attempt to signal it, by signal.", "signal",
			0.001, 0.003, 0.01, 0.1, 1),
		signalFailures: counters("signal_failures_total", "Attempts to signal that failed, by signal.", "signal"),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: namespaced("drains_abandoned_total"),
			Help: "Handovers that ended though the workload was not seen to stop: it may have run beside the next leader.",
		}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.transitions, m.requests, m.requestFailures, m.lastRenewal, m.signals, m.signalFailures, m.abandoned,
		m.masterStatus(), m.validityLeft(), m.fit(), m.leadsUnfit(), m.buildInfo(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A compressor would hold more memory than all that is sent here.
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	m.exportZeros()
	return m
}

// Follow makes e the election whose status is computed at each scrape. Before, the status is 0.
func (m *Metrics) Follow(e Election) { m.election.Store(&e) }

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.handler.ServeHTTP(w, r)
}

// Requested counts a request to the store.
func (m *Metrics) Requested(verb string, latency time.Duration, err error) {
	m.requests.WithLabelValues(verb).Observe(latency.Seconds())
	switch {
	case err != nil:
		m.requestFailures.WithLabelValues(verb).Inc()
	case verb == "renew", verb == "update":
		m.lastRenewal.Set(float64(m.cfg.Clock.Wall().UnixMilli()) / 1000)
	}
}

// Applied counts an attempt at a signal, as the fan-out of package signals reports it.
func (m *Metrics) Applied(signal string, latency time.Duration, err error) {
	m.signals.WithLabelValues(signal).Observe(latency.Seconds())
	if err != nil {
		m.signalFailures.WithLabelValues(signal).Inc()
	}
}

// DrainAbandoned counts a handover that ended though the workload was not seen to stop.
func (m *Metrics) DrainAbandoned() { m.abandoned.Inc() }

// Published counts the transitions of this replica; give it every level, in order. A replica starts as a standby.
func (m *Metrics) Published(l leadership.Leadership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case l.IsLeader && (!m.last.IsLeader || l.Token != m.last.Token):
		m.transitions.WithLabelValues(toLeader).Inc()
	case !l.IsLeader && m.last.IsLeader:
		m.transitions.WithLabelValues(toStandby).Inc()
	}
	m.last = l
}

func (m *Metrics) exportZeros() {
	for _, to := range []string{toLeader, toStandby} {
		m.transitions.WithLabelValues(to)
	}
	for _, verb := range []string{"get", "create", "update", "renew", "release"} {
		m.requests.WithLabelValues(verb)
		m.requestFailures.WithLabelValues(verb)
	}
	for _, signal := range m.cfg.Signals {
		m.signals.WithLabelValues(signal)
		m.signalFailures.WithLabelValues(signal)
	}
}

// masterStatus has the name and meaning of client-go's metric, so that alerts for it go on working.
func (m *Metrics) masterStatus() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "leader_election_master_status",
		Help:        "Whether this replica leads at the scrape (1) or not (0), by the name of the Lease.",
		ConstLabels: prometheus.Labels{"name": m.cfg.Lease},
	}, func() float64 { return number(m.now().IsLeader) })
}

func (m *Metrics) validityLeft() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: namespaced("validity_left_seconds"),
		Help: "Time at the scrape until this replica's term runs out unless it is renewed; 0 when it does not lead.",
	}, func() float64 {
		l := m.now()
		if !l.IsLeader {
			return 0
		}
		return max(l.ValidUntil.Sub(m.cfg.Clock.Now()), 0).Seconds()
	})
}

// fit is of the workload, not of the election: a fit replica may well stand by.
func (m *Metrics) fit() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: namespaced("fit"),
		Help: "Whether the workload is fit to lead (1) or not (0) by its health checks; without any it is.",
	}, func() float64 { return number(m.cfg.Fit()) })
}

// leadsUnfit is what --when-all-unfit lead does, and how long it does it.
func (m *Metrics) leadsUnfit() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: namespaced("leads_unfit"),
		Help: "Whether this replica leads at the scrape though it is unfit (1), as no fit one does.",
	}, func() float64 { return number(!m.cfg.Fit() && m.now().IsLeader) })
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *Metrics) buildInfo() prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        namespaced("build_info"),
		Help:        "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": m.cfg.Version, "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}

func (m *Metrics) now() leadership.Leadership {
	e := m.election.Load()
	if e == nil {
		return leadership.Leadership{}
	}
	return (*e).Leadership().At(m.cfg.Clock.Now())
}

func namespaced(name string) string { return "lease_sidecar_" + name }

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespaced(name), Help: help}, []string{label})
}

func latencies(name, help, label string, buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespaced(name), Help: help, Buckets: buckets},
		[]string{label})
}
