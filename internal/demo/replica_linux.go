package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// condition is what the user sees of a sidecar.
type condition string

const (
	running condition = "running"
	frozen  condition = "frozen"
	killed  condition = "killed"
	stopped condition = "stopped"
)

const (
	leaseDuration = 3 * time.Second
	// stopTime bounds a process's orderly end, after which it is killed.
	stopTime = 5 * time.Second
)

// replica is one "pod": a sidecar and a toy workload, which share a directory.
type replica struct {
	name    string
	dir     string // the signal directory
	address string
	self    string // the program to run
	store   string
	log     *os.File
	client  *client.Sidecar

	mu        sync.Mutex
	condition condition
	sidecar   *process
	toy       *process
	working   workReport // the toy's newest
	work      track
}

// process is a child process; done is closed once it has been reaped.
type process struct {
	command *exec.Cmd
	done    chan struct{}
}

func newReplica(name, root, self string) (*replica, error) {
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the replica's directory: %w", err)
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, fmt.Errorf("make the replica's log: %w", err)
	}
	address := "unix:" + dir + ".sock"
	sidecar, err := client.New(address, podid.Pod{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the replica's address: %w", err), log.Close())
	}
	return &replica{
		name: name, dir: dir, address: address, self: self, store: filepath.Join(root, "store"), log: log,
		condition: stopped, client: sidecar,
	}, nil
}

// start runs both processes, the sidecar first, as in a pod.
func (r *replica) start() error {
	if err := r.startSidecar(); err != nil {
		return err
	}
	return r.startToy()
}

func (r *replica) startSidecar() error {
	// Only what is named here reaches the sidecar: no variable of the user's shell may change the demo.
	p, err := r.spawn(nil, "run", "--store", "dir:"+r.store, "--namespace", "demo", "--prefix", "demo",
		"--workload", "deployment/toy", "--identity", r.name, "--lease-duration", leaseDuration.String(),
		"--signal-dir", r.dir, "--http-address", r.address, "--probe-address", "off", "--log-format", "text")
	if err != nil {
		return fmt.Errorf("start the sidecar of %s: %w", r.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sidecar, r.condition = p, running
	return nil
}

func (r *replica) startToy() error {
	reports, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the toy of %s: %w", r.name, err)
	}
	p, err := r.spawn(out, "toy", "--signal-dir", r.dir, "--http-address", r.address)
	out.Close() // the child has its own
	if err != nil {
		reports.Close()
		return fmt.Errorf("start the toy of %s: %w", r.name, err)
	}
	toy := &process{command: p.command, done: make(chan struct{})}
	r.mu.Lock()
	r.toy = toy
	r.mu.Unlock()
	go func() { // ends with the toy, and whoever ends that waits for it
		defer close(toy.done)
		r.listen(reports)
		<-p.done
	}()
	return nil
}

// spawn runs the program itself with the arguments.
func (r *replica) spawn(stdout *os.File, args ...string) (*process, error) {
	command := exec.Command(r.self, args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	command.Stdout, command.Stderr = stdout, r.log
	if stdout == nil {
		command.Stdout = r.log
	}
	// A group of its own keeps the user's Ctrl-C from it, and the kernel kills it when the demo ends.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = command.Wait() // how it ended shows in what the witness sees
	}()
	return p, nil
}

// listen takes the toy's reports until its end.
func (r *replica) listen(reports io.ReadCloser) {
	defer reports.Close()
	lines := bufio.NewScanner(reports)
	for lines.Scan() {
		var w workReport
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue
		}
		r.mu.Lock()
		if stopping := r.working.Working && !w.Working; stopping {
			r.work.look(w.At, w.At, true, r.working.Token) // it was at work until now
		}
		r.work.look(w.At, w.At, w.Working, w.Token)
		r.working = w
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working.Working, r.working.Token, r.work.open = false, "", false
}

// signal sends sig to the sidecar and notes what becomes of it.
func (r *replica) signal(sig syscall.Signal, becomes condition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.sidecar.command.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal the sidecar of %s: %w", r.name, err)
	}
	r.condition = becomes
	return nil
}

// stopToy ends the toy in good order and waits for it.
func (r *replica) stopToy() { r.toyProcess().stop() }

// stopSidecar sends SIGTERM to the sidecar, and returns when: the handover counts from there.
func (r *replica) stopSidecar() (at bootclock.Instant, err error) {
	at = bootclock.System{}.Now()
	return at, r.signal(syscall.SIGTERM, stopped)
}

// awaitSidecar waits for the sidecar's end.
func (r *replica) awaitSidecar() { r.sidecarProcess().await() }

// close ends both processes, frozen or not, and returns once they are reaped.
func (r *replica) close() error {
	for _, p := range []*process{r.toyProcess(), r.sidecarProcess()} {
		p.kill()
	}
	r.client.Close()
	return r.log.Close()
}

func (r *replica) sidecarProcess() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sidecar
}

func (r *replica) toyProcess() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.toy
}

func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended already
	p.await()
}

// await waits for the process's end, and kills it when that takes too long.
func (p *process) await() {
	if p == nil {
		return
	}
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.kill()
	}
}

func (p *process) kill() {
	if p == nil {
		return
	}
	if err := p.command.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
		<-p.done
	}
}
