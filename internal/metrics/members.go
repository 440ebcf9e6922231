package metrics

import "github.com/prometheus/client_golang/prometheus"

// Members is what a scrape shows of the membership.
type Members struct {
	// States counts the members by state: live, unproven, left, expired.
	States map[string]int
	// Sent and Failed count the requests for members' Leases by verb.
	Sent, Failed map[string]int
}

// memberCollector reads the membership at each scrape.
type memberCollector struct {
	read                   func() Members
	members, sent, failure *prometheus.Desc
}

func newMemberCollector(read func() Members) memberCollector {
	return memberCollector{
		read: read,
		members: prometheus.NewDesc(namespaced("members"),
			"Number of members of the election that this replica knows at the scrape, by state.", []string{"state"}, nil),
		sent: prometheus.NewDesc(namespaced("member_requests_total"),
			"Number of requests for the Leases of members, by verb. A watch counts when it ends.", []string{"verb"}, nil),
		failure: prometheus.NewDesc(namespaced("member_request_failures_total"),
			"Number of requests for the Leases of members that failed, by verb.", []string{"verb"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c memberCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.members
	to <- c.sent
	to <- c.failure
}

// Collect implements [prometheus.Collector].
func (c memberCollector) Collect(to chan<- prometheus.Metric) {
	m := c.read()
	for state, n := range m.States {
		to <- prometheus.MustNewConstMetric(c.members, prometheus.GaugeValue, float64(n), state)
	}
	for verb, n := range m.Sent {
		to <- prometheus.MustNewConstMetric(c.sent, prometheus.CounterValue, float64(n), verb)
	}
	for verb, n := range m.Failed {
		to <- prometheus.MustNewConstMetric(c.failure, prometheus.CounterValue, float64(n), verb)
	}
}
