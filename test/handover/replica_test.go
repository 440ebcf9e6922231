package handover

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replica is a pod in two processes: a sidecar, and the toy beside it.
type replica struct {
	t       *testing.T
	dir     string
	flags   []string
	child   bool // the sidecar runs the toy
	sidecar *exec.Cmd
	toy     *exec.Cmd
	local   *http.Client
}

// here stands in a flag for the replica's folder.
const here = "{here}/"

// folder makes a test's folder. Its name is short, as that of a socket below it must be.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ho")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newReplica makes the folder of a replica and starts it. It ends with the test.
func newReplica(t *testing.T, root, name, follow string, flags ...string) *replica {
	t.Helper()
	r := &replica{t: t, dir: filepath.Join(root, name), flags: slices.Clone(flags), child: follow == "start"}
	for i, flag := range flags {
		r.flags[i] = strings.ReplaceAll(flag, here, r.dir+"/")
	}
	if err := os.MkdirAll(filepath.Join(r.dir, signalDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, followFile), []byte(follow), 0o600); err != nil {
		t.Fatal(err)
	}
	r.local = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(r.dir, httpSocket))
		},
	}}
	t.Cleanup(r.kill)
	r.start()
	return r
}

// start runs both processes.
func (r *replica) start() {
	r.t.Helper()
	args := append([]string{
		"run", "--store", "dir:" + filepath.Join(filepath.Dir(r.dir), "store"), "--workload", "deployment/toy",
		"--identity", filepath.Base(r.dir), "--signal-dir", filepath.Join(r.dir, signalDir),
		"--http-address", "unix:" + filepath.Join(r.dir, httpSocket), "--probe-address", "off", "--log-format", "text",
	}, r.flags...)
	if r.child {
		args = append(args, "--", os.Args[0])
	}
	r.sidecar = r.run(binary, args...)
	if !r.child {
		r.toy = r.run(os.Args[0])
	}
}

func (r *replica) run(program string, args ...string) *exec.Cmd {
	r.t.Helper()
	c := exec.Command(program, args...)
	// A toy built for the race detector would stay for a second after its end.
	c.Env = append(os.Environ(), toyEnv+"="+r.dir, "GORACE=atexit_sleep_ms=0")
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives a test that dies
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// kill ends what still runs.
func (r *replica) kill() {
	for _, c := range []*exec.Cmd{r.sidecar, r.toy} {
		if c != nil && c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	if r.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
		lines := strings.Split(string(log), "\n")
		r.t.Logf("%s:\n%s", filepath.Base(r.dir), strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
}

// restartNative ends the pod as the kubelet does with a native sidecar: the toy first, and once it has exited, the
// sidecar. Then it starts anew.
func (r *replica) restartNative() {
	r.t.Helper()
	r.end(r.toy)
	r.end(r.sidecar)
	r.start()
}

// restartClassic ends the pod as the kubelet does with ordinary containers: all at once. Then it starts anew.
func (r *replica) restartClassic() {
	r.t.Helper()
	r.term(r.sidecar)
	if r.toy != nil {
		r.term(r.toy)
		r.wait(r.toy)
	}
	r.wait(r.sidecar)
	r.start()
}

func (r *replica) end(c *exec.Cmd) {
	r.t.Helper()
	r.term(c)
	r.wait(c)
}

func (r *replica) term(c *exec.Cmd) {
	r.t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) wait(c *exec.Cmd) {
	r.t.Helper()
	overdue := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer overdue.Stop()
	if err := c.Wait(); err != nil {
		r.t.Fatalf("%s: %v", c.Path, err)
	}
}

// stepDown asks the sidecar to hand over.
func (r *replica) stepDown() {
	r.t.Helper()
	if status, body := r.ask(http.MethodPost, "/step-down"); status != http.StatusAccepted {
		r.t.Fatalf("POST /step-down: %d %s", status, body)
	}
}

func (r *replica) ask(method, path string) (status int, body string) {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://localhost"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.local.Do(request)
	if err != nil {
		return 0, fmt.Sprint(err)
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(b)
}
