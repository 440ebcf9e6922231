//go:build linux

package examples

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// door is what a worker passes before its first piece of work: by it the sidecar sees that it works.
type door interface {
	shut() bool       // keeps the worker out, unless it is inside
	waits(p int) bool // reports whether that process, or a descendant, waits at the shut door
	open()
}

// lockDoor is the run lock: the test holds it exclusively, as flock and as fcntl's lock.
type lockDoor struct{ *os.File }

func newLockDoor(t *testing.T, r *replica) door {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(r.SignalDir(), "run.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return lockDoor{file}
}

func (d lockDoor) shut() bool {
	if unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil &&
		unix.FcntlFlock(d.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) == nil {
		return true
	}
	d.open()
	return false
}

func (d lockDoor) open() {
	_ = unix.FcntlFlock(d.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK}) // a test that finds it shut says so
	_ = unix.Flock(int(d.Fd()), unix.LOCK_UN)
}

// waits reads lines such as "7: -> FLOCK  ADVISORY  READ  4711 00:1b:42 0 EOF". The sidecar itself waits to write.
func (lockDoor) waits(p int) bool {
	locks, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[1] == "->" && fields[4] == "READ" && slices.ContainsFunc(family(p), func(pid int) bool {
			return fields[5] == fmt.Sprint(pid)
		}) {
			return true
		}
	}
	return false
}

// answerDoor stands before a sidecar's HTTP, for a worker that keeps GET /running open.
type answerDoor struct {
	url string

	mu      sync.Mutex
	inside  int           // open requests
	opening chan struct{} // closed when the door opens; nil while it is open
}

func newAnswerDoor(t *testing.T, r *replica) *answerDoor {
	t.Helper()
	sidecar, err := url.Parse(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	d := &answerDoor{}
	passOn := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(sidecar) },
		Transport:     &http.Transport{DisableKeepAlives: true},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // the worker breaks the connection to say that it stops
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/running" {
			defer d.enter()()
			d.pass(r)
		}
		passOn.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	d.url = server.URL
	return d
}

func (d *answerDoor) enter() (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.inside--
	}
}

// pass returns once the door is open, or the one who asked has gone.
func (d *answerDoor) pass(r *http.Request) {
	d.mu.Lock()
	opening := d.opening
	d.mu.Unlock()
	if opening == nil {
		return
	}
	select {
	case <-opening:
	case <-r.Context().Done():
	}
}

func (d *answerDoor) shut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside > 0 {
		return false
	}
	d.opening = make(chan struct{})
	return true
}

func (d *answerDoor) waits(int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inside > 0 && d.opening != nil
}

func (d *answerDoor) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.opening)
	d.opening = nil
}

// locker is a worker that shows its work, and the door by which it does.
type locker struct {
	name  string
	flags []string // of its sidecar
	start func(*testing.T, *transcript, *replica) door
}

// lockers are the workers of all languages, by file, and the scripts of the manifest and of the chart.
func lockers() (all []locker) {
	for _, l := range languages {
		all = append(all, locker{l.name, nil, func(t *testing.T, script *transcript, r *replica) door {
			if l.seenBy(byFile) == "running" {
				d := newAnswerDoor(t, r)
				r.worker = startWorker(t, l, byFile, script, r.SignalDir(), d.url)
				return d
			}
			r.worker = startWorker(t, l, byFile, script, r.SignalDir(), r.URL())
			return newLockDoor(t, r)
		}})
	}
	for name, text := range map[string]func(*testing.T, string) string{"manifest": manifestScript, "chart": chartScript} {
		// They cut times to the second: a renewal that is late by one would end their work in a shorter term.
		flags := []string{"--lease-duration", "6s"}
		all = append(all, locker{name, flags, func(t *testing.T, script *transcript, r *replica) door {
			// Their words for a piece of work are not those of the other workers.
			says := strings.NewReplacer("works with token $(cat ", "working token=$(cat ", "leading, token $(cat ", "working token=$(cat ", ")\"\n", ") unit=1\"\n")
			command := exec.Command(lookUp(t, "sh"), "-c", says.Replace(text(t, r.SignalDir())))
			command.Stdout, command.Stderr = script.input, os.Stderr
			r.worker = start(t, command)
			return newLockDoor(t, r)
		}})
	}
	return all
}

// TestWorkersLookAgain has each worker wait for the run lock (Node: for the answer of GET /running) between its look and its first
// piece of work, and its replica step down meanwhile. It does no piece in that term and releases the lock, so that the handover
// completes; and it works in its next term.
func TestWorkersLookAgain(t *testing.T) {
	for _, l := range lockers() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			doors := map[string]door{}
			p := startPair(t, func(t *testing.T, script *transcript, r *replica) {
				r.startSidecar(script, l.flags...)
				r.AwaitLog("for=http-address")
				doors[r.Name] = l.start(t, script, r)
			})
			heirs := doors[p.heir.Name]
			eventually(t, "the standby does not hold its lock", heirs.shut)
			p.leader.StepDown()
			var term leadership.Leadership
			eventually(t, "the heir leads, and its worker waits for its lock", func() bool {
				term = p.heir.Leadership()
				return term.IsLeader && heirs.waits(p.heir.worker.command.Process.Pid)
			})
			p.heir.StepDown()
			eventually(t, "the heir does not lead", func() bool { return !p.heir.Leadership().IsLeader })
			heirs.open()

			p.awaitWork(p.leader)
			for range 5 { // which gives the other worker time for a piece, and to release its lock
				wantWork(t, p.script, p.script.len(), p.leader.Leadership().Token)
			}
			eventually(t, "the worker has released its lock", heirs.shut)
			heirs.open()
			if abandoned := p.heir.Metric("lease_sidecar_drains_abandoned_total"); abandoned != "0" {
				t.Errorf("%s handovers were abandoned, want 0\n%s", abandoned, p.heir.Log())
			}
			p.leader.StepDown()
			p.awaitWork(p.heir) // behind what its worker has written before
			for _, line := range p.script.from(0) {
				// A script reads the token when it works: by then the file has gone.
				if token := tokenOf(line.text); !change(line.text) && (token == term.Token || token == "") {
					t.Errorf("it works after the term that ended while it waited for the lock: %s\n%s", line.text, p.script)
				}
			}
			wantOneAtWork(t, p.script)
		})
	}
}
