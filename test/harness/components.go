//go:build linux

package harness

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// APIServer is the process of the API server, Etcd that of etcd: the present ones, others after a restart.
func (c *Cluster) APIServer() *Process { return c.api }

// Etcd is the process of etcd.
func (c *Cluster) Etcd() *Process { return c.etcd }

// Durable starts etcd again, so that it waits for the disk at each write, as it does outside of tests. The API server is ready
// again at the return.
func (c *Cluster) Durable(t testing.TB) {
	t.Helper()
	c.KillEtcd(t)
	c.durable = true
	c.RestartEtcd(t)
}

// Metrics are the samples of one component, by their name and labels as the component writes them.
type Metrics map[string]float64

// Sum adds all samples of that name that have all these labels, each as NAME="VALUE".
func (m Metrics) Sum(name string, labels ...string) (sum float64) {
samples:
	for sample, value := range m {
		if found, text, _ := strings.Cut(sample, "{"); found == name {
			for _, label := range labels {
				if !strings.Contains(","+text, ","+label) {
					continue samples
				}
			}
			sum += value
		}
	}
	return sum
}

// APIMetrics returns what the API server says of itself now.
func (c *Cluster) APIMetrics(t testing.TB) Metrics {
	t.Helper()
	text, err := c.Admin.RESTClient().Get().AbsPath("/metrics").Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("read the API server's metrics: %v", err)
	}
	return parseMetrics(t, text)
}

// EtcdURL is where etcd serves the API server.
func (c *Cluster) EtcdURL() string { return "http://127.0.0.1:" + c.etcdPort }

// EtcdMetrics returns what etcd says of itself now.
func (c *Cluster) EtcdMetrics(t testing.TB) Metrics {
	t.Helper()
	text, err := fetch(t, c.EtcdURL()+"/metrics")
	if err != nil {
		t.Fatalf("read etcd's metrics: %v", err)
	}
	return parseMetrics(t, text)
}

func fetch(t testing.TB, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// parseMetrics reads the text format of Prometheus, without timestamps, which neither component writes.
func parseMetrics(t testing.TB, text []byte) Metrics {
	t.Helper()
	metrics := Metrics{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if at < 0 || err != nil {
			t.Fatalf("no sample of a metric: %q", line)
		}
		metrics[line[:at]] = value
	}
	return metrics
}
