//go:build linux

package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	checkInterval  = 200 * time.Millisecond
	checkThreshold = 3
	// healthBound is how soon another pod works after the leader's health is gone: the checks, and the handover, for which a busy
	// machine gets much more than the 50 ms that it takes.
	healthBound = checkInterval*checkThreshold + 2*time.Second
)

// startChecked starts pods that are checked over HTTP, on ports of their own.
func (s *stage) startChecked(replicas int, flags ...string) map[string]*pod {
	s.t.Helper()
	pods := map[string]*pod{}
	for i := range replicas {
		name, address := fmt.Sprintf("toy-%d", i), harness.FreeAddress(s.t)
		pods[name] = s.start(name, setup{
			program: []string{"-follow", "file", "-reports", "always", "-health", address},
			flags: append([]string{
				"--lease-duration", "3s", "--health-url", "http://" + address + "/", "--health-interval", checkInterval.String(),
				"--health-threshold", fmt.Sprint(checkThreshold), "--health-cooldown", "100ms",
			}, flags...),
		})
	}
	return pods
}

func (p *pod) sickFile() string { return filepath.Join(p.Dir, workDir, "sick") }

// sicken makes the program's health checks fail until heal.
func (p *pod) sicken() {
	p.stage.t.Helper()
	if err := os.WriteFile(p.sickFile(), nil, 0o600); err != nil {
		p.stage.t.Fatal(err)
	}
}

func (p *pod) heal() {
	p.stage.t.Helper()
	if err := os.Remove(p.sickFile()); err != nil {
		p.stage.t.Fatal(err)
	}
}

func (p *pod) awaitHealthy(want string) {
	p.stage.t.Helper()
	harness.Eventually(p.stage.t, patience, "lease_sidecar_healthy is "+want, func() bool { return p.Metric("lease_sidecar_healthy") == want })
}

// TestUnhealthyLeaderHandsOver: another pod works soon after the leader's health is gone, ten times.
func TestUnhealthyLeaderHandsOver(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pods := s.startChecked(9) // who has released stays out for 5 s
	for range 10 {
		leader := s.awaitWork()
		before, began := len(s.spells()), now()
		pods[leader.pod].sicken()
		next, _ := s.awaitNext(before)
		took := next.from.Sub(began)
		t.Logf("%s after its health was gone, %s past %d intervals", took, took-checkInterval*checkThreshold, checkThreshold)
		if next.pod == leader.pod || took > healthBound {
			t.Errorf("%s works %s after %s became unhealthy; want another one within %s", next.pod, took, leader.pod, healthBound)
		}
		if got := pods[leader.pod].Metric("lease_sidecar_healthy"); got != "0" {
			t.Errorf("lease_sidecar_healthy of the unhealthy one is %q", got)
		}
		pods[leader.pod].heal()
		pods[leader.pod].awaitHealthy("1")
	}
	s.wantNoOverlap()
}

// TestWhenAllAreUnhealthy: nobody leads, or after one more lease duration one of them does, and its metric shows it.
func TestWhenAllAreUnhealthy(t *testing.T) {
	for _, choice := range []string{"wait", "lead"} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			pods := s.startChecked(2, "--when-all-unhealthy", choice)
			s.awaitWork()
			for _, p := range pods {
				p.sicken()
			}
			for _, p := range pods {
				p.awaitHealthy("0")
			}
			harness.Eventually(t, patience, "nobody works", func() bool { _, so := s.working(); return !so })
			before, began := len(s.spells()), now()
			if choice == "lead" {
				leader := pods[s.awaitWork().pod]
				t.Logf("an unhealthy one works after %s", now().Sub(began))
				harness.Eventually(t, patience, "its metric shows it", func() bool { return leader.Metric("lease_sidecar_leads_unhealthy") == "1" })
				return
			}
			time.Sleep(7 * time.Second) // more than twice the lease duration
			if got := s.spells()[before:]; len(got) > 0 {
				t.Errorf("an unhealthy one worked: %+v", got)
			}
			for name, p := range pods {
				p.heal()
				harness.Eventually(t, patience, "the one that is healthy again works", func() bool { w, so := s.working(); return so && w.pod == name })
				break
			}
		})
	}
}
