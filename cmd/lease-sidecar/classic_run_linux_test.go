package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What curl sees of the classic command line, before there is a leader and after, on every path and by every method.
func TestClassicCommandLine(t *testing.T) {
	t.Setenv("LEASE_SIDECAR_STORE", "dir:"+filepath.Join(t.TempDir(), "store"))
	r := campaignAs(t, "lease-sidecar", "--election=web", "--id=web-0", "--http=127.0.0.1:0", "--ttl=3s",
		"--election-namespace=apps", "--use-cluster-credentials")
	base := "http://" + r.address("http-address")
	curl := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--max-time", "5", "--path-as-is"}, args...)...).Output()
		if err != nil {
			t.Fatalf("curl %q: %v", args, err)
		}
		return string(out)
	}
	if got := curl(base); got != `{"name":""}` {
		t.Errorf("before any leader: got %q", got)
	}
	r.within(30*time.Second, "it leads", func() bool { return curl(base) != `{"name":""}` })
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MADEUP"} {
		for _, path := range []string{"/", "/leader", "/events", "/step-down", "/quitquitquit", "/a//b/../c?d=e"} {
			got := curl("--request", method, "--include", "--header", "Date:", base+path)
			head, body, _ := strings.Cut(got, "\r\n\r\n")
			if body != `{"name":"web-0"}` || !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") ||
				!strings.Contains(head, "Content-Type: text/plain; charset=utf-8") || !strings.Contains(head, "Content-Length: 16") {
				t.Errorf("%s %s: got %q", method, path, got)
			}
		}
	}
	if head := curl("--head", base); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(head, "\r\n\r\n") {
		t.Errorf("HEAD: got %q", head)
	}
}

// nais's documents, by the flag.
func TestNaisAnswers(t *testing.T) {
	r := campaign(t, "--store", "dir:"+filepath.Join(t.TempDir(), "store"), "--compat", "nais")
	r.answers("http-address", "/leader")
	if body := r.want("http-address", "/", http.StatusOK); !strings.HasPrefix(body, `{"name":"web-a","last_update":"`) || !strings.HasSuffix(body, `Z"}`) {
		t.Errorf("GET /: got %s", body)
	}
}
