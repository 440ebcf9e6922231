package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// toyEnv makes this test binary the toy workload; its value is the replica's folder.
const toyEnv = "HANDOVER_TOY"

// Files of a replica's folder, and of the test's.
const (
	signalDir   = "signal"    // the sidecar's signal directory
	httpSocket  = "http.sock" // the sidecar's HTTP address
	appSocket   = "app.sock"  // the toy's own endpoint, there while the toy is
	sickFile    = "sick"      // there: the toy's health check fails
	pidFile     = "pid"       // the toy's pid, once it can be told
	portFile    = "port"      // a loopback address at which the toy's endpoint is too
	followFile  = "follow"    // how the toy hears: file, http, signal or start; a word after it: how it shows its work
	stopFile    = "stop"      // in the test's folder: how long a stop takes
	witnessFile = "witness"   // in the test's folder: what was worked, and when
)

// toy is a workload that works while its replica leads, and takes its time to stop.
type toy struct {
	dir, name string
	follow    string
	shows     string // "": it reports its stop; silent; lock: the run lock while it works; open: GET /running while it works
	hold      io.Closer
	local     *http.Client
	bootID    string
	working   bool
	elected   atomic.Bool // as the last process signal said
}

// toyMain runs the toy until SIGTERM, which makes it stop its work first.
func toyMain() int {
	t := &toy{dir: os.Getenv(toyEnv)}
	t.name = filepath.Base(t.dir)
	follow, _ := os.ReadFile(filepath.Join(t.dir, followFile))
	t.follow, t.shows, _ = strings.Cut(string(follow), " ")
	t.bootID, _ = bootclock.ID()
	if t.follow == "signal" {
		defer t.listen()()
	}
	t.local = &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(t.dir, httpSocket))
		},
	}}
	_ = os.Remove(filepath.Join(t.dir, appSocket))
	endpoint, err := net.Listen("unix", filepath.Join(t.dir, appSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, "toy:", err)
		return 1
	}
	go t.answer(endpoint)
	if address, err := os.ReadFile(filepath.Join(t.dir, portFile)); err == nil {
		port, err := net.Listen("tcp", string(address))
		if err != nil {
			fmt.Fprintln(os.Stderr, "toy:", err)
			return 1
		}
		go t.answer(port)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		t.turn()
		time.Sleep(2 * time.Millisecond)
	}
	t.rest()
	t.report()
	return 0 // its endpoint goes with it, after the work
}

// listen takes SIGUSR1 for an election and SIGUSR2 for a loss.
func (t *toy) listen() (stop func()) {
	incoming := make(chan os.Signal, 16)
	signal.Notify(incoming, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range incoming {
			t.elected.Store(s == syscall.SIGUSR1)
		}
	}()
	path := filepath.Join(t.dir, pidFile)
	if os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) == nil {
		_ = os.Rename(path+".new", path)
	}
	return func() { signal.Stop(incoming) }
}

// answer serves the toy's health.
func (t *toy) answer(l net.Listener) {
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(t.dir, sickFile)); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
}

// turn looks whether the replica leads, and begins or ends work.
func (t *toy) turn() {
	leads := t.leads()
	switch {
	case leads && !t.working:
		if t.show() != nil || !t.leads() {
			t.unshow()
			return
		}
		t.working = true
		t.witness("start")
	case !leads && t.working:
		t.rest()
		t.report()
	}
}

// rest ends the work, in the time that it takes.
func (t *toy) rest() {
	if !t.working {
		return
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(t.dir), stopFile))
	takes, _ := time.ParseDuration(strings.TrimSpace(string(text)))
	time.Sleep(takes)
	t.witness("stop")
	t.working = false
	t.unshow()
}

// show shows that the work goes on, where the toy does that.
func (t *toy) show() error {
	switch t.shows {
	case "lock":
		lock, err := os.Open(filepath.Join(t.dir, signalDir, "run.lock"))
		if err != nil {
			return err
		}
		t.hold = lock
		return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH)
	case "open":
		// A client of its own: the other one gives up after a second.
		response, err := (&http.Client{Transport: t.local.Transport}).Get("http://localhost/running")
		if err != nil {
			return err
		}
		t.hold = response.Body
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
	}
	return nil
}

func (t *toy) unshow() {
	if t.hold != nil {
		_ = t.hold.Close()
		t.hold = nil
	}
}

// report tells the sidecar that the work has stopped. Where both were told to end at once, it may come too early.
func (t *toy) report() {
	if t.shows != "" || t.follow == "start" {
		return
	}
	for range 10 {
		if response, err := t.local.Post("http://localhost/drained", "", nil); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusAccepted {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leads reports whether this replica leads now, as far as the toy can tell.
func (t *toy) leads() bool {
	switch t.follow {
	case "start":
		return true // it runs only while it leads
	case "signal":
		return t.elected.Load()
	case "file":
		l, err := leadership.Read(filepath.Join(t.dir, signalDir))
		return err == nil && l.IsLeader
	}
	response, err := t.local.Get("http://localhost/leader")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var l leadership.Leadership
	if json.NewDecoder(response.Body).Decode(&l) != nil || l.BootID != t.bootID {
		return false
	}
	return l.At(bootclock.System{}.Now()).IsLeader
}

// witness writes a line, whole: "start NAME INSTANT".
func (t *toy) witness(what string) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(t.dir), witnessFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	// The instant of a start is read before, and of a stop after, all else that the toy does: the work lies within.
	_, _ = fmt.Fprintf(f, "%s %s %s\n", what, t.name, bootclock.System{}.Now())
}
