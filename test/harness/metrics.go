//go:build linux

package harness

import (
	"bytes"
	"maps"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics are samples of one scrape of the API server.
type Metrics map[string]*dto.MetricFamily

// Metrics scrapes the API server's own metrics.
func (c *Cluster) Metrics(t testing.TB) Metrics {
	t.Helper()
	body, err := c.Admin.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatalf("scrape the API server: %v", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("parse the API server's metrics: %v", err)
	}
	return families
}

// Sum adds up the counter or gauge name over all label sets that have the labels in want, by the label by.
func (m Metrics) Sum(name, by string, want map[string]string) map[string]float64 {
	sums := map[string]float64{}
	for _, metric := range m[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range metric.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		all := maps.Clone(labels)
		maps.Copy(all, want)
		if maps.Equal(all, labels) {
			sums[labels[by]] += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sums
}
