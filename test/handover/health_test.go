package handover

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	checkInterval  = 200 * time.Millisecond
	checkThreshold = 3
	// bound is how soon another replica works after the leader's health is gone: the checks, and the handover, for which
	// a busy machine gets more than the 50 ms that it takes.
	bound = checkInterval*checkThreshold + time.Second
)

// clinic starts replicas that are checked over HTTP, on ports of their own.
func clinic(t *testing.T, root string, replicas int, flags ...string) map[string]*replica {
	t.Helper()
	setStop(t, root, 0)
	all := map[string]*replica{}
	for i := range replicas {
		name := fmt.Sprintf("toy-%d", i)
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := free.Addr().String()
		free.Close()
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, portFile), []byte(port), 0o600); err != nil {
			t.Fatal(err)
		}
		all[name] = newReplica(t, root, name, "file", append([]string{
			"--lease-duration", "3s", "--health-url", "http://" + port + "/", "--health-interval", checkInterval.String(),
			"--health-threshold", fmt.Sprint(checkThreshold), "--health-cooldown", "100ms", "--probe-address", "127.0.0.1:0",
		}, flags...)...)
	}
	return all
}

// sicken makes the toy's checks fail from now on.
func (r *replica) sicken() {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, sickFile), nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) heal() {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.dir, sickFile)); err != nil {
		r.t.Fatal(err)
	}
}

var probeAddress = regexp.MustCompile(`for=probe-address addresses="?\[([^ \]]+)`)

// metric returns a metric's line.
func (r *replica) metric(name string) string {
	r.t.Helper()
	log, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		r.t.Fatal(err)
	}
	m := probeAddress.FindStringSubmatch(string(log))
	if m == nil {
		r.t.Fatalf("no probe address in the log:\n%s", log)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + m[1] + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestUnfitLeaderHandsOver: another one works soon after the leader's health is gone, ten times.
func TestUnfitLeaderHandsOver(t *testing.T) {
	t.Parallel()
	root := folder(t)
	replicas := clinic(t, root, 9) // who has released stays out for 5 s
	for range 10 {
		var now spell
		eventually(t, "somebody works", func() (so bool) { now, so = working(t, root); return so })
		before := len(spells(t, root))
		began := bootclock.System{}.Now()
		replicas[now.name].sicken()
		eventually(t, "another one works", func() bool { return len(spells(t, root)) > before })
		next := spells(t, root)[before]
		took := next.start.Sub(began)
		t.Logf("%s after its health was gone, %s past %d intervals", took, took-checkInterval*checkThreshold, checkThreshold)
		if next.name == now.name || took > bound {
			t.Errorf("%s works %s after %s fell ill; want another one within %s", next.name, took, now.name, bound)
		}
		if got := replicas[now.name].metric("lease_sidecar_healthy"); got != "lease_sidecar_healthy 0" {
			t.Errorf("the metric of the unfit one says %q", got)
		}
		replicas[now.name].heal()
		eventually(t, "it is fit again", func() bool { return replicas[now.name].metric("lease_sidecar_healthy") == "lease_sidecar_healthy 1" })
	}
	for _, o := range overlaps(spells(t, root)) {
		t.Errorf("two at work at once: %+v", o)
	}
}

// TestWhenAllAreUnfit: nobody leads, or after one more lease duration one of them does, and says so.
func TestWhenAllAreUnfit(t *testing.T) {
	for _, c := range []struct {
		choice string
		lead   bool
	}{{"wait", false}, {"lead", true}} {
		t.Run(c.choice, func(t *testing.T) {
			t.Parallel()
			root := folder(t)
			replicas := clinic(t, root, 2, "--when-all-unfit", c.choice)
			eventually(t, "somebody works", func() bool { _, so := working(t, root); return so })
			for _, r := range replicas {
				r.sicken()
			}
			eventually(t, "all are unfit", func() bool {
				for _, r := range replicas {
					if r.metric("lease_sidecar_healthy") != "lease_sidecar_healthy 0" {
						return false
					}
				}
				return true
			})
			eventually(t, "nobody works", func() bool { _, so := working(t, root); return !so })
			before, unfit := len(spells(t, root)), time.Now()
			if c.lead {
				var now spell
				eventually(t, "an unfit one works", func() (so bool) { now, so = working(t, root); return so })
				t.Logf("an unfit one works after %s", time.Since(unfit))
				eventually(t, "it says so", func() bool {
					return replicas[now.name].metric("lease_sidecar_leads_unhealthy") == "lease_sidecar_leads_unhealthy 1"
				})
				return
			}
			time.Sleep(7 * time.Second) // more than twice the lease duration
			if got := spells(t, root)[before:]; len(got) > 0 {
				t.Errorf("an unfit one worked: %+v", got)
			}
			for name, r := range replicas {
				r.heal()
				eventually(t, "the one that is well again works", func() bool { now, so := working(t, root); return so && now.name == name })
				break
			}
		})
	}
}
