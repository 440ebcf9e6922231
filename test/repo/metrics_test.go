package repo

import (
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

var (
	scraped = regexp.MustCompile(`(?m)^# TYPE ((?:lease_sidecar|leader_election)_\w+) (\w+)$`)
	tabled  = regexp.MustCompile("(?m)^\\| ((?:`(?:lease_sidecar|leader_election)_\\w+`(?:, )?)+) \\| (\\w+) \\|")
	inCode  = regexp.MustCompile("`(\\w+)`")
)

// TestMetricsAreDocumented compares the table of metrics with what a scrape shows: the same names, each of the same type.
func TestMetricsAreDocumented(t *testing.T) {
	m := metrics.New(metrics.Config{
		Lease: "acme-752b7817f6", Version: "v1", Clock: clocktest.NewHand(), Signals: []string{"file"},
		Leadership: func() leadership.Leadership { return leadership.Leadership{} },
		Members: func() metrics.Members {
			return metrics.Members{States: map[string]int{"live": 1}, Sent: map[string]int{"renew": 1}, Failed: map[string]int{"renew": 0}}
		},
	})
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	want, got := map[string]string{}, map[string]string{}
	for _, m := range scraped.FindAllStringSubmatch(w.Body.String(), -1) {
		want[m[1]] = m[2]
	}
	for _, row := range tabled.FindAllStringSubmatch(read(t, filepath.Join(top, "docs", "reference", "metrics.md")), -1) {
		for _, name := range inCode.FindAllStringSubmatch(row[1], -1) {
			got[name[1]] = row[2]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/reference/metrics.md (-/metrics +the page):\n%s", diff)
	}
}
