package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// candidateRun is `run` in this process: its log is read line by line.
type candidateRun struct {
	t    *testing.T
	dir  string
	stop context.CancelFunc
	code chan int

	mu    sync.Mutex
	lines []string
}

// campaign starts `run` with a signal directory, free loopback ports and the arguments. It ends with the test.
func campaign(t *testing.T, args ...string) *candidateRun {
	t.Helper()
	dir := t.TempDir()
	r := campaignAs(t, append([]string{
		"lease-sidecar", "run", "--workload", "deployment/web", "--identity", "web-a", "--lease-duration", "3s",
		"--signal-dir", dir, "--http-address", "127.0.0.1:0", "--probe-address", "127.0.0.1:0",
	}, args...)...)
	r.dir = dir
	return r
}

// campaignAs starts a whole command line. It ends with the test.
func campaignAs(t *testing.T, args ...string) *candidateRun {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &candidateRun{t: t, stop: stop, code: make(chan int, 1)}
	log, stderr := io.Pipe()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			r.mu.Lock()
			r.lines = append(r.lines, lines.Text())
			r.mu.Unlock()
		}
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.code <- run(ctx, args, nil, io.Discard, stderr)
		stderr.Close()
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		<-read
	})
	return r
}

// within waits until something is so.
func (r *candidateRun) within(d time.Duration, what string, so func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	r.t.Fatalf("not within %s: %s\n%s", d, what, strings.Join(r.log(), "\n"))
}

func (r *candidateRun) log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// logs waits until a line of the log has all that.
func (r *candidateRun) logs(all ...string) {
	r.t.Helper()
	r.within(10*time.Second, fmt.Sprintf("it logs %q", all), func() bool {
		return slices.ContainsFunc(r.log(), func(line string) bool {
			return !slices.ContainsFunc(all, func(want string) bool { return !strings.Contains(line, want) })
		})
	})
}

// ends waits for the end, and checks the exit code.
func (r *candidateRun) ends(want int) {
	r.t.Helper()
	select {
	case code := <-r.code:
		if code != want {
			r.t.Errorf("got exit code %d; want %d\n%s", code, want, strings.Join(r.log(), "\n"))
		}
	case <-time.After(20 * time.Second):
		r.t.Fatal("it did not end")
	}
}

// address returns what was bound for a flag, as the log says.
func (r *candidateRun) address(flag string) (address string) {
	r.t.Helper()
	r.within(10*time.Second, flag+" is bound", func() bool {
		for _, line := range r.log() {
			var entry struct {
				For       string   `json:"for"`
				Addresses []string `json:"addresses"`
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.For == flag {
				address = entry.Addresses[0]
				return true
			}
		}
		return false
	})
	return address
}

// get returns the status and the body of an answer; status 0 where there was none.
func (r *candidateRun) get(flag, path string) (int, string) {
	return r.send(http.MethodGet, flag, path)
}

func (r *candidateRun) send(method, flag, path string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://"+r.address(flag)+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// answers waits until the answer is 200.
func (r *candidateRun) answers(flag, path string) {
	r.t.Helper()
	r.within(30*time.Second, path+" answers 200", func() bool { code, _ := r.get(flag, path); return code == http.StatusOK })
}

func (r *candidateRun) want(flag, path string, status int) string {
	r.t.Helper()
	got, body := r.get(flag, path)
	if got != status {
		r.t.Errorf("GET %s at %s: got %d %q; want %d", path, flag, got, body, status)
	}
	return body
}

// From the first moment to the last: what the workload, the kubelet and Prometheus get.
func TestRunFromStartToEnd(t *testing.T) {
	r := campaign(t, "--store", "dir:"+filepath.Join(t.TempDir(), "store"))
	r.answers("probe-address", "/startupz")
	if _, err := os.Stat(filepath.Join(r.dir, leadership.StateFile)); err != nil {
		t.Errorf("started without a state: %v", err)
	}
	if body := r.want("probe-address", "/metrics", http.StatusOK); !strings.Contains(body, `leader_election_master_status{name="lease-sidecar-752b7817f6"} 0`) {
		t.Errorf("no status from the start:\n%s", body)
	}
	r.want("probe-address", "/livez", http.StatusOK)
	r.want("http-address", "/leader", http.StatusServiceUnavailable)
	if body := r.want("http-address", "/", http.StatusOK); body != `{"name":""}` {
		t.Errorf("before any leader: got %s", body)
	}

	r.answers("http-address", "/leader")
	r.want("probe-address", "/leader", http.StatusOK)
	r.want("probe-address", "/readyz", http.StatusOK)
	if body := r.want("http-address", "/", http.StatusOK); body != `{"name":"web-a"}` {
		t.Errorf("while leading: got %s", body)
	}
	if body := r.want("probe-address", "/metrics", http.StatusOK); !strings.Contains(body, `leader_election_master_status{name="lease-sidecar-752b7817f6"} 1`) {
		t.Errorf("no status while leading:\n%s", body)
	}
	if l, err := leadership.Read(r.dir); err != nil || !l.IsLeader {
		t.Errorf("the directory says %+v, %v", l, err)
	}

	if status, body := r.send(http.MethodPost, "http-address", "/quitquitquit"); status != http.StatusAccepted {
		t.Fatalf("POST /quitquitquit: got %d %s", status, body)
	}
	r.ends(exitWell)
	if l, err := leadership.Read(r.dir); err != nil || l.IsLeader {
		t.Errorf("in the end the directory says %+v, %v", l, err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, leadership.LeaderFile)); err == nil {
		t.Error("the leader file outlived the sidecar")
	}
}

// An API server that cannot be reached does not end it: it has started, is not ready, and leads nothing.
func TestRunOutlastsAnUnreachableAPI(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close() // nobody listens there now
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"http://%s"}}],`+
		`"users":[{"name":"c"}],"contexts":[{"name":"c","context":{"cluster":"c","user":"c","namespace":"apps"}}]}`, address)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := campaign(t, "--kubeconfig", kubeconfig)
	r.answers("probe-address", "/startupz")
	r.logs("WARN", address)
	if body := r.want("http-address", "/leader", http.StatusServiceUnavailable); !strings.Contains(body, `"namespace":"apps"`) {
		t.Errorf("the kubeconfig's namespace is not used: %s", body)
	}
	r.want("probe-address", "/readyz", http.StatusServiceUnavailable)
	r.want("probe-address", "/livez", http.StatusOK)
	r.stop()
	r.ends(exitWell)
}

// An address that is taken ends it with an error that names the flag, and nothing of it stays.
func TestRunRefusesATakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := campaign(t, "--store", "dir:"+filepath.Join(t.TempDir(), "store"), "--probe-address", taken.Addr().String())
	r.ends(exitNo)
	r.logs("--probe-address: listen on")
	if _, err := os.Stat(filepath.Join(r.dir, leadership.StateFile)); err == nil {
		t.Error("it wrote a state")
	}
}

// TestCollisionIsDocumented: the page that says what to do shows the error as it is printed, so that both advise the same.
func TestCollisionIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "how-to", "troubleshoot.md"))
	if err != nil {
		t.Fatal(err)
	}
	plain := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	collision := runError(&elector.CollisionError{Lease: "shared", Namespace: "default", Workload: "deployment/api", Other: "deployment/web"})
	if want := "lease-sidecar: " + plain(collision.Error()); !strings.Contains(plain(string(page)), want) {
		t.Errorf("docs/how-to/troubleshoot.md does not show\n%s", want)
	}
}
