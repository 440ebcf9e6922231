//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// byHand in the environment makes this program one that writes a Lease and makes each signal by hand: the floor that no sidecar is
// below. It names a file with the [handwork] to do.
const byHand = "BENCH_BY_HAND"

// handJobs are the signals that are made by hand, by the names of their figures.
var handJobs = []string{"file", "http", "process", "child"}

// handwork is what the program gets to know.
type handwork struct {
	Kubeconfig, URL, Dir, PIDFile, Pipe, Stream string

	Lease *coordinationv1.Lease
}

// workByHand reads jobs, a line each. For each it writes the Lease, makes the signal as soon as the answer is there, and prints a line.
func workByHand() error {
	content, err := os.ReadFile(os.Getenv(byHand))
	var w handwork
	if err == nil {
		err = json.Unmarshal(content, &w)
	}
	if err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", w.Kubeconfig)
	if err != nil {
		return err
	}
	config.NextProtos = []string{"http/1.1"}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	stream, err := net.Dial("tcp", w.Stream)
	if err != nil {
		return err
	}
	for jobs := bufio.NewScanner(os.Stdin); jobs.Scan(); {
		answer, err := w.write(client)
		if err == nil {
			err = w.signal(jobs.Text(), stream)
		}
		if err == nil {
			w.Lease = &coordinationv1.Lease{}
			err = json.Unmarshal(answer, w.Lease)
		}
		if err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

func (w *handwork) write(client *http.Client) ([]byte, error) {
	w.Lease.Spec.RenewTime = new(metav1.NewMicroTime(time.Now()))
	body, err := json.Marshal(w.Lease)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPut, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.Body.Close() }()
	answer, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", reply.Status, answer)
	}
	return answer, err
}

// signal makes one signal with no more than it takes.
func (w *handwork) signal(job string, stream io.Writer) error {
	switch job {
	case "file":
		temp := filepath.Join(w.Dir, "temp")
		if err := os.WriteFile(temp, []byte("1\n"), 0o644); err != nil {
			return err
		}
		return os.Rename(temp, filepath.Join(w.Dir, leadership.LeaderFile))
	case "http":
		_, err := io.WriteString(stream, "data: {}\n")
		return err
	case "process":
		content, err := os.ReadFile(w.PIDFile)
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(string(content))
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGUSR1)
	case "child":
		return exec.Command("cat", w.Pipe).Run()
	}
	return fmt.Errorf("no job %q", job)
}

// hand is that program, and what sees its signals.
type hand struct {
	line  *harness.Proxy
	files *directory
	pipe  *pipe
	jobs  io.Writer
	done  *bufio.Scanner
	seen  map[string]chan time.Time
	took  map[string][]time.Duration
}

func newHand(t *testing.T, cluster *harness.Cluster) *hand {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pod, lines := newSignalPod(t, self), lineListener(t)
	h := &hand{line: cluster.Proxy(t), pipe: newPipe(t), took: map[string][]time.Duration{}}
	h.seen = map[string]chan time.Time{"http": lines.at, "process": pod.signals, "child": h.pipe.at}
	h.line.Trace()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	w := handwork{
		Kubeconfig: e.Access.Kubeconfig(t, h.line.Host()), Dir: harness.NewVolume(t).Dir, PIDFile: pod.pidFile, Pipe: h.pipe.path,
		Stream: lines.address, Lease: e.Read(t),
		URL: h.line.Host() + "/apis/coordination.k8s.io/v1/namespaces/" + e.Namespace + "/leases/" + e.Lease,
	}
	h.files = watchDirectory(t, w.Dir)
	content, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := os.WriteFile(work, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pod.launcher)
	cmd.Env = append(os.Environ(), byHand+"="+work)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	jobs, err := cmd.StdinPipe()
	var out io.ReadCloser
	if err == nil {
		out, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	h.jobs, h.done = jobs, bufio.NewScanner(out)
	harness.Eventually(t, slack, "the process to signal runs", func() bool {
		content, err := os.ReadFile(pod.pidFile)
		return err == nil && len(content) > 0
	})
	return h
}

// round has each signal made once, and adds how long it took.
func (h *hand) round(t *testing.T) {
	t.Helper()
	for _, job := range handJobs {
		h.line.Passages()
		h.files.forget()
		if job == "child" {
			h.pipe.expect()
		}
		if _, err := io.WriteString(h.jobs, job+"\n"); err != nil {
			t.Fatal(err)
		}
		at := time.Time{}
		if job == "file" {
			all, _ := h.files.awaitLeader(slack)
			at = all["file"]
		} else {
			select {
			case at = <-h.seen[job]:
			case <-time.After(slack):
			}
		}
		if at.IsZero() {
			t.Fatalf("no signal of the kind %q by hand", job)
		}
		if job == "child" {
			h.pipe.close()
		}
		if !h.done.Scan() || h.done.Text() != "done" {
			t.Fatalf("the program that works by hand says %q", h.done.Text())
		}
		answer := takeAnswered(h.line.Passages(), at)
		if answer.IsZero() {
			t.Fatal("the proxy has seen no write by hand")
		}
		h.took[job] = append(h.took[job], at.Sub(answer))
	}
}

// listener notes when lines come over TCP.
type listener struct {
	address string
	at      chan time.Time
}

func lineListener(t *testing.T) listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	found := listener{address: l.Addr().String(), at: make(chan time.Time, 1)}
	go func() { // ends with the listener, or with the connection
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "data:") {
				found.at <- time.Now()
			}
		}
	}()
	return found
}
