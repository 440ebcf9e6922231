package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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
	self    string // the program to run
	address string // of the sidecar
	store   string
	log     *os.File
	client  *client.Sidecar
	sidecar *process
	toy     *process
	witness
}

type process struct {
	*os.Process
	done chan struct{} // closed once it has been reaped
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
	r := &replica{name: name, dir: dir, self: self, address: address, store: filepath.Join(root, "store"), log: log, client: sidecar}
	r.become(stopped)
	return r, nil
}

// start runs both processes, the sidecar first, as in a pod.
func (r *replica) start() error {
	if err := r.startSidecar(); err != nil {
		return err
	}
	toy, err := r.spawn(r.listen, "toy")
	if err != nil {
		return fmt.Errorf("start the toy of %s: %w", r.name, err)
	}
	r.toy = toy
	return nil
}

func (r *replica) startSidecar() error {
	sidecar, err := r.spawn(nil, "run", "--store", "dir:"+r.store, "--namespace", "demo", "--prefix", "demo",
		"--workload", "deployment/toy", "--identity", r.name, "--lease-duration", leaseDuration.String(),
		"--http-address", r.address, "--probe-address", "off", "--log-format", "text")
	if err != nil {
		return fmt.Errorf("start the sidecar of %s: %w", r.name, err)
	}
	r.sidecar = sidecar
	r.become(running)
	return nil
}

// spawn runs the program itself. listen reads what it writes to its end; where listen is nil, the log takes that.
func (r *replica) spawn(listen func(io.Reader), args ...string) (*process, error) {
	command := exec.Command(r.self, append(args, "--signal-dir", r.dir)...)
	// Only what is named here reaches it: no variable of the user's shell may change the demo.
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	command.Stdout, command.Stderr = r.log, r.log
	var out io.Reader
	if listen != nil {
		command.Stdout = nil
		var err error
		if out, err = command.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	// A group of its own keeps the user's Ctrl-C from it, and the kernel kills it when the demo ends.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{Process: command.Process, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if listen != nil {
			listen(out)
		}
		_ = command.Wait() // how it ended shows in what the witness sees
	}()
	return p, nil
}

func (r *replica) listen(reports io.Reader) {
	lines := json.NewDecoder(reports)
	for {
		var w workReport
		if lines.Decode(&w) != nil {
			r.ended()
			return
		}
		r.reported(w)
	}
}

// signal sends sig to the sidecar, notes what becomes of it, and returns when it was sent.
func (r *replica) signal(sig syscall.Signal, becomes condition) (at bootclock.Instant, err error) {
	at = now()
	if err := r.sidecar.Signal(sig); err != nil {
		return at, fmt.Errorf("signal the sidecar of %s: %w", r.name, err)
	}
	r.become(becomes)
	return at, nil
}

// close ends both processes, frozen or not, and returns once they are reaped.
func (r *replica) close() error {
	for _, p := range []*process{r.toy, r.sidecar} {
		if p != nil {
			p.kill()
		}
	}
	r.client.Close()
	return r.log.Close()
}

// showLog prints the end of the sidecar's log, for a run that went wrong.
func (r *replica) showLog(out io.Writer) {
	const tail = 2000
	if text, err := os.ReadFile(r.log.Name()); err == nil {
		fmt.Fprintf(out, "--- log of %s\n%s\n", r.name, text[max(0, len(text)-tail):])
	}
}

// await waits for the process's end, and kills it when that takes too long.
func (p *process) await() {
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.Kill() // it may have ended already
	<-p.done
}
