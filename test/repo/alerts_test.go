package repo

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// alerts is the file of alert rules.
var alerts = filepath.Join(top, "examples", "prometheus", "rules.yaml")

// TestAlerts has promtool check the alert rules, and run their unit tests on series of a few minutes: nobody leads, all pods are
// gone, two leaders, an unhealthy leader, leadership flaps, and what must not fire.
func TestAlerts(t *testing.T) {
	for name, args := range map[string][]string{
		"check": {"check", "rules", "--lint-fatal", alerts},
		"test":  {"test", "rules", filepath.Join("testdata", "alerts", "unit.yaml")},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v (.ci/prerequisites installs promtool)\n%s", strings.Join(args, " "), err, out)
			}
		})
	}
}

var (
	alert  = regexp.MustCompile(`(?m)^  - alert: (\w+)$`)
	series = regexp.MustCompile(`\b(lease_sidecar_[a-z_]+|leader_election_master_status)\b`)
)

// TestAlertsAreDocumented: the page about metrics has a row for each alert, and each series that a rule reads. The unit tests
// name each alert. Package metrics holds the series to the names of that page.
func TestAlertsAreDocumented(t *testing.T) {
	rules := read(t, alerts)
	page := read(t, filepath.Join(top, "docs", "reference", "metrics.md"))
	tested := read(t, filepath.Join("testdata", "alerts", "unit.yaml"))
	found := alert.FindAllStringSubmatch(rules, -1)
	if len(found) < 5 {
		t.Fatalf("%d alerts: has the way to write them changed?", len(found))
	}
	for _, m := range found {
		if !strings.Contains(page, "\n| `"+m[1]+"` |") {
			t.Errorf("docs/reference/metrics.md has no row for the alert %s", m[1])
		}
		if !strings.Contains(tested, "alertname: "+m[1]+"\n") {
			t.Errorf("testdata/alerts/unit.yaml has no test of the alert %s", m[1])
		}
	}
	for _, m := range series.FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("docs/reference/metrics.md does not know the series %s", m[1])
		}
	}
}
