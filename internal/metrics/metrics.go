// Package metrics counts and times what the sidecar does, and serves it to Prometheus.
//
// It promises that every series exists from the start, that "this replica leads" is judged by the clock at the scrape, and
// that names and meanings follow docs/reference/metrics.md. A scrape need not show a state that began and ended between two
// scrapes, though counters count it. Counters end with the process.
package metrics

import (
	"net/http"
	"runtime"
	"sync"
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

// Config names the election, and what is read at a scrape. Every field but Signals, Members and Healthy is required.
type Config struct {
	// Lease is the Lease's name.
	Lease string
	// Version is the program's version.
	Version string
	// Clock judges validity at the scrape.
	Clock bootclock.Clock
	// Leadership returns the current leadership, as [elector.Elector.Leadership] does.
	Leadership func() leadership.Leadership
	// Healthy reports whether the workload is healthy. If nil, it always is.
	Healthy func() bool
	// Members returns the members by state, and the requests for members' Leases by verb. Nil: there is no membership, and no
	// such series.
	Members func() Members
	// Signals names the signals in use, so that their series exist before the first attempt.
	Signals []string
}

// Metrics keeps what Prometheus scrapes. It observes the elector and the signals. It is safe for concurrent use.
type Metrics struct {
	cfg     Config
	handler http.Handler

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

// New returns the metrics of one election, with all counters at zero.
func New(cfg Config) *Metrics {
	if cfg.Healthy == nil {
		cfg.Healthy = func() bool { return true }
	}
	m := &Metrics{
		cfg: cfg,
		transitions: counters("transitions_total",
			"Number of terms that this replica began (to=\"leader\") or ended (to=\"standby\").", "to"),
		requests: latencies("request_duration_seconds",
			"Duration of requests for the Lease, successful or not, by verb.", "verb", 0.005, 0.025, 0.1, 0.5, 2.5),
		requestFailures: counters("request_failures_total",
			"Number of requests for the Lease that failed, by verb. A lost race for a free Lease is a failure.", "verb"),
		lastRenewal: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: namespaced("last_renewal_timestamp_seconds"),
			Help: "Unix time in seconds at which this replica last took or renewed the Lease; 0 if it never did.",
		}),
		signals: latencies("signal_duration_seconds",
			"Duration from the moment a fact became known to the end of an attempt to apply a signal, by signal.", "signal",
			0.001, 0.003, 0.01, 0.1, 1),
		signalFailures: counters("signal_failures_total", "Number of failed attempts to apply a signal, by signal.", "signal"),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: namespaced("drains_abandoned_total"),
			Help: "Number of handovers that ended though the workload was not seen to stop: it may have run beside the next leader.",
		}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.transitions, m.requests, m.requestFailures, m.lastRenewal, m.signals, m.signalFailures, m.abandoned,
		m.buildInfo(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(m.atScrape()...)
	if cfg.Members != nil {
		registry.MustRegister(newMemberCollector(cfg.Members))
	}
	// Compression would need more memory than all that is sent.
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	m.exportZeros()
	return m
}

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

// Applied counts an attempt at a signal; see [signals.Observer].
func (m *Metrics) Applied(signal string, latency time.Duration, err error) {
	m.signals.WithLabelValues(signal).Observe(latency.Seconds())
	if err != nil {
		m.signalFailures.WithLabelValues(signal).Inc()
	}
}

// DrainAbandoned counts a handover that ended although the workload was not seen to stop.
func (m *Metrics) DrainAbandoned() { m.abandoned.Inc() }

// Published counts this replica's transitions. Call it with each leadership, in order. A replica starts as a standby.
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

// exportZeros creates all series at the start: an alert for "no leader" must not wait for the first leader.
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

func (m *Metrics) atScrape() []prometheus.Collector {
	leads := func() float64 { return number(m.now().IsLeader) }
	return []prometheus.Collector{
		// Name and meaning are those of client-go's metric, so that alerts on it keep working.
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "leader_election_master_status",
			Help:        "Whether this replica leads at the scrape (1) or not (0), by the name of the Lease.",
			ConstLabels: prometheus.Labels{"name": m.cfg.Lease},
		}, leads),
		gauge("validity_left_seconds",
			"Time at the scrape until this replica's term ends unless it is renewed; 0 if it does not lead.", m.validityLeft),
		// This is the workload's health: a healthy replica may be a standby.
		gauge("healthy",
			"Whether the workload is healthy (1) or not (0) by its health checks; without any it is healthy.",
			func() float64 { return number(m.cfg.Healthy()) }),
		gauge("leads_unhealthy",
			"Whether this replica leads at the scrape though its workload is unhealthy (1), because no healthy replica does.",
			func() float64 { return number(!m.cfg.Healthy() && m.now().IsLeader) }),
	}
}

func (m *Metrics) validityLeft() float64 {
	l := m.now()
	if !l.IsLeader {
		return 0
	}
	return max(l.ValidUntil.Sub(m.cfg.Clock.Now()), 0).Seconds()
}

// now judges the leadership at the scrape, so that a stuck election does not prolong a term.
func (m *Metrics) now() leadership.Leadership {
	return m.cfg.Leadership().At(m.cfg.Clock.Now())
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

func namespaced(name string) string { return "lease_sidecar_" + name }

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: namespaced(name), Help: help}, value)
}

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespaced(name), Help: help}, []string{label})
}

func latencies(name, help, label string, buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespaced(name), Help: help, Buckets: buckets},
		[]string{label})
}
