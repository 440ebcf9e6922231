//go:build linux

package integration

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestProfilesOnDemand takes profiles of the shipped program while it leads: they come by HTTP, to a loopback Host only, and one may
// take longer than any other answer.
func TestProfilesOnDemand(t *testing.T) {
	t.Parallel()
	replica := harness.NewLocal(t, harness.LocalRoot(t), "web-0", "--lease-duration", "3s", "--debug-address", "127.0.0.1:0")
	replica.Start()
	address := replica.Address("debug-address")
	harness.Eventually(t, slack, "it leads", func() bool { return replica.Leadership().IsLeader })
	take := func(host, path string) (int, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := (&http.Client{Timeout: slack, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return answer.StatusCode, body
	}
	for path, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=2": "internal/sidecar.(*assembly)",
		"/debug/pprof/heap":              "lease-sidecar",         // a function of this program
		"/debug/pprof/profile?seconds=6": "cpu",                   // longer than a request may take to come in
		"/debug/pprof/trace?seconds=0.1": "go 1.",                 // the header of a trace
		"/debug/metrics":                 "go_gc_gogc_percent 50", // as run sets it
	} {
		began := time.Now()
		status, body := take("localhost", path)
		if strings.HasPrefix(path, "/debug/pprof/profile") && time.Since(began) < 6*time.Second {
			t.Errorf("%s: answered after %v", path, time.Since(began))
		}
		if zipped, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(zipped); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		if status != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, and %d bytes without %q: %.200q", path, status, len(body), want, body)
		}
	}
	if status, body := take("web.example.com", "/debug/pprof/heap"); status != http.StatusForbidden {
		t.Errorf("for another Host: %d %.100q, want 403", status, body)
	}
	tool := exec.Command("go", "tool", "pprof", "-top", "http://"+address+"/debug/pprof/heap")
	tool.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	if out, err := tool.CombinedOutput(); err != nil || !strings.Contains(string(out), "Type: inuse_space") {
		t.Errorf("%s: %v\n%s", tool, err, out)
	}
	if !replica.Leadership().IsLeader {
		t.Error("it does not lead any more")
	}
}

// TestNoProfilesUnlessAskedFor: without the option nothing is served, nor at another address than the loopback.
func TestNoProfilesUnlessAskedFor(t *testing.T) {
	t.Parallel()
	replica := harness.NewLocal(t, harness.LocalRoot(t), "web-0")
	replica.Start()
	_, port, err := net.SplitHostPort(replica.Address("probe-address"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get("http://127.0.0.1:" + port + "/debug/pprof/heap")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if status, _ := replica.Ask(http.MethodGet, "/debug/pprof/heap"); answer.StatusCode != http.StatusNotFound || status != http.StatusNotFound {
		t.Errorf("profiles at the other addresses: %d and %d, want 404", answer.StatusCode, status)
	}
	if line := replica.LogLine("debug-address"); line != "" {
		t.Errorf("a listener for profiles: %s", line)
	}
	binary := harness.ShippedBinary(t)
	for _, address := range []string{":6060", "0.0.0.0:6060", "10.0.0.1:6060", "[::]:6060"} {
		out, status := harness.RunCommand(t, binary, "run", "--debug-address", address)
		if want := `--debug-address "` + address + `": want 127.0.0.1:PORT, unix:PATH or off`; status != 2 || !strings.Contains(out, want) {
			t.Errorf("--debug-address %s: status %d, %q; want 2 and %s", address, status, out, want)
		}
	}
}
