package metrics

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// samples returns the series whose name begins so, without buckets, in order.
func samples(text string, prefixes ...string) []string {
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "_bucket{") {
			continue
		}
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				found = append(found, line)
			}
		}
	}
	slices.Sort(found)
	return found
}

// of returns the metrics of an election that always says what l holds, whatever the clock shows.
func of(c *clocktest.Hand, l *leadership.Leadership) *Metrics {
	return New(Config{
		Lease: "acme-752b7817f6", Version: "v1.2.3", Clock: c, Signals: []string{"file", "events"},
		Leadership: func() leadership.Leadership { return *l },
	})
}

func TestEverySeriesIsThereFromTheStart(t *testing.T) {
	text := scrape(t, of(clocktest.NewHand(), &leadership.Leadership{}))
	want := []string{
		`leader_election_master_status{name="acme-752b7817f6"} 0`,
		"lease_sidecar_drains_abandoned_total 0",
		"lease_sidecar_healthy 1",
		"lease_sidecar_last_renewal_timestamp_seconds 0",
		"lease_sidecar_leads_unhealthy 0",
		"lease_sidecar_validity_left_seconds 0",
	}
	for _, to := range []string{"leader", "standby"} {
		want = append(want, `lease_sidecar_transitions_total{to="`+to+`"} 0`)
	}
	for _, verb := range []string{"create", "get", "release", "renew", "update"} {
		want = append(want, `lease_sidecar_request_failures_total{verb="`+verb+`"} 0`,
			`lease_sidecar_request_duration_seconds_count{verb="`+verb+`"} 0`,
			`lease_sidecar_request_duration_seconds_sum{verb="`+verb+`"} 0`)
	}
	for _, signal := range []string{"events", "file"} {
		want = append(want, `lease_sidecar_signal_failures_total{signal="`+signal+`"} 0`,
			`lease_sidecar_signal_duration_seconds_count{signal="`+signal+`"} 0`,
			`lease_sidecar_signal_duration_seconds_sum{signal="`+signal+`"} 0`)
	}
	slices.Sort(want)
	got := slices.DeleteFunc(samples(text, "leader_election_", "lease_sidecar_"), func(s string) bool {
		return strings.HasPrefix(s, "lease_sidecar_build_info")
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	info := samples(text, "lease_sidecar_build_info")
	if len(info) != 1 || !strings.Contains(info[0], `version="v1.2.3"`) || !strings.Contains(info[0], `goversion="go1.`) || !strings.HasSuffix(info[0], " 1") {
		t.Errorf("build info: %q", info)
	}
	if got := samples(text, "process_resident_memory_bytes"); len(got) != 1 {
		t.Errorf("resident memory: %q, want one series", got)
	}
}

func TestNamesKeepPrometheusConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, of(clocktest.NewHand(), &leadership.Leadership{})))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestStateIsReadAtTheScrape(t *testing.T) {
	clock, healthy, now := clocktest.NewHand(), false, leadership.Leadership{}
	m := New(Config{
		Lease: "acme", Clock: clock, Healthy: func() bool { return healthy }, Leadership: func() leadership.Leadership { return now },
	})
	standby, leading, draining := leadershiptest.Standby("web-x"), leadershiptest.Leading(clock, "5"), leadershiptest.Draining(clock)
	for _, c := range []struct {
		name                                   string
		now                                    leadership.Leadership
		after                                  time.Duration
		healthy                                bool
		leads, left, isHealthy, leadsUnhealthy string
	}{
		{"leading", leading, 0, true, "1", "10", "1", "0"},
		{"leading, not renewed since", leading, 9 * time.Second, true, "1", "1", "1", "0"},
		{"the term has run out", leading, 10 * time.Second, true, "0", "0", "1", "0"},
		{"draining", draining, 0, true, "0", "0", "1", "0"},
		{"standing by, unhealthy", standby, 0, false, "0", "0", "0", "0"},
		{"leading, unhealthy", leading, 0, false, "1", "10", "0", "1"},
		{"draining, unhealthy", draining, 0, false, "0", "0", "0", "0"},
	} {
		healthy, now = c.healthy, c.now
		clock.Advance(c.after)
		got := samples(scrape(t, m), "leader_election_", "lease_sidecar_healthy", "lease_sidecar_leads_", "lease_sidecar_validity_")
		clock.Advance(-c.after)
		want := []string{
			`leader_election_master_status{name="acme"} ` + c.leads,
			"lease_sidecar_healthy " + c.isHealthy, "lease_sidecar_leads_unhealthy " + c.leadsUnhealthy,
			"lease_sidecar_validity_left_seconds " + c.left,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestWhatHappensIsCounted(t *testing.T) {
	clock := clocktest.NewHand()
	m := of(clock, &leadership.Leadership{})
	for _, l := range []leadership.Leadership{
		leadershiptest.Standby("web-x"), leadershiptest.Standby(""), leadershiptest.Leading(clock, "5"),
		leadershiptest.Leading(clock, "5"), leadershiptest.Leading(clock, "6"), leadershiptest.Draining(clock),
		leadershiptest.Standby("web-x"),
	} {
		m.Published(l)
	}
	m.Requested("renew", 30*time.Millisecond, nil)
	clock.Advance(time.Second)
	m.Requested("renew", 2*time.Second, errors.New("timed out"))
	m.Requested("get", time.Millisecond, nil)
	m.Applied("file", 2*time.Millisecond, nil)
	m.Applied("file", 20*time.Millisecond, errors.New("full"))
	text := scrape(t, m)
	for _, want := range []string{
		`lease_sidecar_transitions_total{to="leader"} 2`,
		`lease_sidecar_transitions_total{to="standby"} 1`,
		`lease_sidecar_request_duration_seconds_count{verb="renew"} 2`,
		`lease_sidecar_request_duration_seconds_bucket{verb="renew",le="0.1"} 1`,
		`lease_sidecar_request_failures_total{verb="renew"} 1`,
		`lease_sidecar_request_failures_total{verb="get"} 0`,
		`lease_sidecar_last_renewal_timestamp_seconds 1.7953416e+09`,
		`lease_sidecar_signal_duration_seconds_bucket{signal="file",le="0.003"} 1`,
		`lease_sidecar_signal_duration_seconds_count{signal="file"} 2`,
		`lease_sidecar_signal_failures_total{signal="file"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no sample %s in\n%s", want, strings.Join(samples(text, want[:20]), "\n"))
		}
	}
	m.Requested("update", time.Millisecond, nil)
	if got := samples(scrape(t, m), "lease_sidecar_last_renewal")[0]; got != "lease_sidecar_last_renewal_timestamp_seconds 1.795341601e+09" {
		t.Errorf("%s: taking the Lease is a renewal at its own time", got)
	}
}
