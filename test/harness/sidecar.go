//go:build linux

package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Sidecar is one replica: the tested binary as a process of its own, with its own signal directory and ports.
type Sidecar struct {
	*Process
	// Pod and UID are what the downward API would give it.
	Pod, UID string
	// Dir is the signal directory.
	Dir string
	// HTTP and Probe are the addresses of its listeners, "127.0.0.1:PORT".
	HTTP, Probe string
	// Kubeconfig is how it reaches the API server.
	Kubeconfig string
	// Binary is what runs; Args are its arguments.
	Binary string
	Args   []string
	// Env is added to what the downward API gives it, "NAME=value", and overrides it.
	Env []string

	client *http.Client
}

// Prepare makes a replica without starting it: a test may change its fields before Start.
func (e *Election) Prepare(t testing.TB, pod string) *Sidecar {
	t.Helper()
	ports, err := freePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sidecar{
		Pod: pod, UID: string(uuid.NewUUID()), Dir: t.TempDir(),
		HTTP: net.JoinHostPort("127.0.0.1", ports[0]), Probe: net.JoinHostPort("127.0.0.1", ports[1]),
		Kubeconfig: e.Access.Kubeconfig(t, e.Cluster.Host()),
		Binary:     Binary(t),
		client:     &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}},
	}
	s.Args = append([]string{
		"run", "--prefix", e.Prefix, "--workload", e.Workload,
		"--signal-dir", s.Dir, "--http-address", s.HTTP, "--probe-address", s.Probe,
		"--lease-duration", e.Duration.String(), "--log-format", "json", "--log-level", "debug",
	}, e.Flags...)
	s.Process = &Process{Name: pod, LogPath: filepath.Join(t.TempDir(), pod+".log")}
	t.Cleanup(func() { s.end(t) })
	return s
}

// Start starts a replica with the documented flags.
func (e *Election) Start(t testing.TB, pod string) *Sidecar {
	t.Helper()
	s := e.Prepare(t, pod)
	s.Start(t, e)
	return s
}

// StartAll starts n replicas, web-0 to web-(n-1).
func (e *Election) StartAll(t testing.TB, n int) []*Sidecar {
	t.Helper()
	var replicas []*Sidecar
	for i := range n {
		replicas = append(replicas, e.Start(t, fmt.Sprintf("web-%d", i)))
	}
	return replicas
}

// Start starts the process, the first time or again after it has ended: same pod, directory and ports.
func (s *Sidecar) Start(t testing.TB, e *Election) {
	t.Helper()
	args := append([]string{s.Args[0], "--kubeconfig", s.Kubeconfig}, s.Args[1:]...)
	p, err := launch(s.Pod, s.LogPath, nil, s.Binary, args, s.env(e))
	if err != nil {
		t.Fatal(err)
	}
	s.Process = p
}

// env is all that the sidecar sees: nothing of the test's own environment leaks in.
func (s *Sidecar) env(e *Election) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "POD_NAME=" + s.Pod, "POD_UID=" + s.UID, "POD_NAMESPACE=" + e.Namespace,
	}, s.Env...)
}

// end stops the process with the test and judges its log.
func (s *Sidecar) end(t testing.TB) {
	s.client.CloseIdleConnections()
	if s.cmd == nil {
		return // never started
	}
	s.Stop(0)
	log := s.Log()
	for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if _, from, found := strings.Cut(log, sign); found {
			t.Errorf("%s: %s%.4000s", s.Pod, sign, from)
		}
	}
	s.Process.end(t, 25)
}

// Leads returns what an app that reads the signal directory by the boot clock knows: leadership and its token.
func (s *Sidecar) Leads() (bool, string) {
	l, err := leadership.Read(s.Dir)
	return err == nil && l.IsLeader, l.Token
}

// LeadsByFile returns what an app without our reader knows: the leader file is there and its time is yet to come.
func (s *Sidecar) LeadsByFile() (bool, string) {
	f, err := os.Open(filepath.Join(s.Dir, leadership.LeaderFile))
	if err != nil {
		return false, ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.ModTime().After(time.Now()) {
		return false, ""
	}
	token, err := io.ReadAll(f)
	return err == nil, strings.TrimSpace(string(token))
}

// HasLeaderFile reports whether the leader file is there at all, stale or not.
func (s *Sidecar) HasLeaderFile() bool {
	_, err := os.Lstat(filepath.Join(s.Dir, leadership.LeaderFile))
	return err == nil
}

// State returns the document in the signal directory as it stands, unjudged; the zero value where there is none.
func (s *Sidecar) State() leadership.Leadership {
	var l leadership.Leadership
	b, err := os.ReadFile(filepath.Join(s.Dir, leadership.StateFile))
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return leadership.Leadership{}
	}
	return l
}

// LeadsByHTTP returns what GET /leader says.
func (s *Sidecar) LeadsByHTTP() (bool, string) {
	status, l := s.Leader()
	return status == http.StatusOK, l.Token
}

// Leader returns the status and the document of GET /leader; status 0 where there is no answer.
func (s *Sidecar) Leader() (int, leadership.Leadership) {
	var l leadership.Leadership
	status, body := ask(s.client, http.MethodGet, "http://"+s.HTTP+"/leader")
	if status != 0 && json.Unmarshal([]byte(body), &l) != nil {
		return 0, leadership.Leadership{}
	}
	return status, l
}

// AskProbe returns the status and the body of a GET on the probe listener, such as "/readyz"; 0 where there is no answer.
func (s *Sidecar) AskProbe(path string) (status int, body string) {
	return ask(s.client, http.MethodGet, "http://"+s.Probe+path)
}

// ProbeStatus returns the status of AskProbe alone.
func (s *Sidecar) ProbeStatus(path string) int {
	status, _ := s.AskProbe(path)
	return status
}

// Post sends an empty POST to the workload's listener and returns the status; 0 where there is no answer.
func (s *Sidecar) Post(path string) int {
	status, _ := ask(s.client, http.MethodPost, "http://"+s.HTTP+path)
	return status
}

// StepDown asks the leader for a planned handover.
func (s *Sidecar) StepDown(t testing.TB) {
	t.Helper()
	status, why := ask(s.client, http.MethodPost, "http://"+s.HTTP+"/step-down")
	if status != http.StatusAccepted {
		t.Fatalf("POST /step-down on %s: status %d, want %d: %s", s.Pod, status, http.StatusAccepted, why)
	}
}

// ask sends a request without a body, and returns the answer; status 0 and why where there is none.
func ask(client *http.Client, method, url string) (status int, body string) {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(b)
}

// Ask runs another command of the sidecar's binary to its end and returns its output and exit status.
func (s *Sidecar) Ask(t testing.TB, args ...string) (string, int) {
	t.Helper()
	return RunCommand(t, s.Binary, args...)
}
