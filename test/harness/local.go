//go:build linux

package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Local is a replica without a cluster: a sidecar whose Lease is in a directory, with a folder of its own for all that it shares
// with its workload.
type Local struct {
	// Process has its identity for a name.
	*Process
	// Dir is its folder.
	Dir string
	// Flags are those of run that come after the harness's own.
	Flags []string
	// Env is added to the environment of the test.
	Env []string
	// Stdout takes its standard output, and that of its command; nil: the log does.
	Stdout *os.File
	// TCP has the sidecar listen for its workload on a loopback port, not on Socket.
	TCP bool

	t      testing.TB
	client *http.Client
}

// Here stands in a flag for the replica's folder, with the slash behind it.
const Here = "{here}/"

// LocalRoot makes a folder for the replicas of one election. Its name is short, as that of a socket below it must be.
func LocalRoot(t testing.TB) string {
	t.Helper()
	root, err := os.MkdirTemp("", "ls")
	if err == nil {
		err = os.Mkdir(filepath.Join(root, storeDir), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	return root
}

// storeDir is the directory of the Lease: the election's own, and each replica's way to it.
const storeDir = "store"

// NewLocal makes the folder root/name of a replica, which campaigns with all others of that root once it is started. It ends
// with the test.
func NewLocal(t testing.TB, root, name string, flags ...string) *Local {
	t.Helper()
	l := &Local{Dir: filepath.Join(root, name), Flags: flags, t: t}
	l.Process = &Process{Name: name, LogPath: filepath.Join(l.Dir, "log")}
	err := os.MkdirAll(l.SignalDir(), 0o700)
	if err == nil {
		err = os.Symlink(filepath.Join(root, storeDir), filepath.Join(l.Dir, storeDir))
	}
	if err != nil {
		t.Fatal(err)
	}
	l.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "localhost:80" {
				network, address = "unix", l.Socket()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	t.Cleanup(func() { l.end(t, 15) })
	return l
}

// SignalDir is the signal directory.
func (l *Local) SignalDir() string { return filepath.Join(l.Dir, "signal") }

// Socket is the path of the sidecar's HTTP socket for its workload.
func (l *Local) Socket() string { return filepath.Join(l.Dir, "http.sock") }

// Start starts the sidecar, the first time or again after it has ended.
func (l *Local) Start() {
	l.t.Helper()
	listen := "unix:" + l.Socket()
	if l.TCP {
		listen = "127.0.0.1:0"
	}
	args := append([]string{
		"run", "--store", "dir:" + filepath.Join(l.Dir, storeDir), "--workload", "deployment/web", "--identity", l.Name,
		"--signal-dir", l.SignalDir(), "--http-address", listen, "--probe-address", "127.0.0.1:0", "--log-format", "text",
	}, l.Flags...)
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, Here, l.Dir+"/")
	}
	// A workload that was built for the race detector would stay for a second after its end.
	env := slices.Concat(os.Environ(), []string{"GORACE=atexit_sleep_ms=0"}, l.Env)
	p, err := launch(l.Name, l.LogPath, l.Stdout, ShippedBinary(l.t), args, env)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Process = p
}

// Cut takes the store away from this replica alone, for good.
func (l *Local) Cut() {
	l.t.Helper()
	link := filepath.Join(l.Dir, storeDir)
	err := os.Symlink("/dev/null", link+".new")
	if err == nil {
		err = os.Rename(link+".new", link)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// StepDown asks for a planned handover.
func (l *Local) StepDown() {
	l.t.Helper()
	if status, body := l.Ask(http.MethodPost, "/step-down"); status != http.StatusAccepted {
		l.t.Fatalf("POST /step-down: %d %s", status, body)
	}
}

// Ask sends a request to the sidecar's HTTP for its workload, and returns the answer; status 0 and why where there is none.
func (l *Local) Ask(method, path string) (status int, body string) {
	return ask(l.client, method, l.URL()+path)
}

// URL is the sidecar's HTTP for its workload.
func (l *Local) URL() string {
	l.t.Helper()
	if l.TCP {
		return "http://" + l.Address("http-address")
	}
	return "http://localhost" // by way of the socket
}

// Leadership is what the signal directory says now; nothing where it cannot be read.
func (l *Local) Leadership() leadership.Leadership {
	found, err := leadership.Read(l.SignalDir())
	if err != nil {
		return leadership.Leadership{}
	}
	return found
}

// Address returns the address of one of the sidecar's listeners, "http-address" or "probe-address".
func (l *Local) Address(listener string) string {
	l.t.Helper()
	pattern := regexp.MustCompile(`for=` + listener + ` addresses="?\[([^ \]]+)`)
	var found [][]string
	Eventually(l.t, logBound, l.Name+" listens for "+listener, func() bool {
		found = pattern.FindAllStringSubmatch(l.Log(), -1)
		return found != nil
	})
	return found[len(found)-1][1] // the newest start's
}

// logBound is how long a line may take to stand in a log that is about to be written.
const logBound = 30 * time.Second

// AwaitLog waits until a line of the log has all these texts, and returns the first that does.
func (l *Local) AwaitLog(texts ...string) (found string) {
	l.t.Helper()
	Eventually(l.t, logBound, l.Name+" logs "+strings.Join(texts, ", "), func() bool {
		found = l.LogLine(texts...)
		return found != ""
	})
	return found
}

// LogLine returns the first line of the log that has all these texts; "" where there is none.
func (l *Local) LogLine(texts ...string) string {
	for line := range strings.Lines(l.Log()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// LoggedAt returns the time of the first line of the log after that time that has this text.
func (l *Local) LoggedAt(after time.Time, text string) (at time.Time, found bool) {
	for line := range strings.Lines(l.Log()) {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err == nil && at.After(after) && strings.Contains(rest, text) {
			return at, true
		}
	}
	return time.Time{}, false
}

// Metric returns a metric's value; "" where there is none.
func (l *Local) Metric(name string) string {
	l.t.Helper()
	_, text := ask(l.client, http.MethodGet, "http://"+l.Address("probe-address")+"/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Guard returns the pid of the sidecar's guard.
func (l *Local) Guard() (pid int) {
	l.t.Helper()
	Eventually(l.t, logBound, l.Name+" has a guard", func() bool {
		for _, child := range Children(l.PID()) {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
			if args := strings.Split(string(command), "\x00"); len(args) > 1 && args[1] == "guard" {
				pid = child
			}
		}
		return pid != 0
	})
	return pid
}

// Children returns the processes that a process has started, by /proc.
func Children(pid int) (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // the thread may have ended
		for field := range strings.FieldsSeq(string(list)) {
			if n, err := strconv.Atoi(field); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// Descendants returns the children of a process, theirs, and so on.
func Descendants(pid int) (pids []int) {
	for _, child := range Children(pid) {
		pids = append(append(pids, child), Descendants(child)...)
	}
	return pids
}

// Runs reports whether a process is there and is no zombie; frozen ones count.
func Runs(pid int) bool {
	state := State(pid)
	return state != 0 && state != 'Z' && state != 'X'
}

// State returns the letter of a process's state, as in /proc/PID/stat; 0 where it has gone.
func State(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	if err != nil || after == "" {
		return 0
	}
	return after[0]
}
