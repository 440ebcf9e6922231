package guard

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// sendTime bounds the sending of an order: a pipe that stays full this long has no reader.
	sendTime = 200 * time.Millisecond
	// ordersFD and reportsFD are the guard's pipe ends.
	ordersFD, reportsFD = 3, 4
	// endTime bounds the guard's own end, killing included, after its sidecar is gone.
	endTime = 2 * time.Second
)

// errGone is returned for orders to a guard that has ended.
var errGone = errors.New("the guard process has ended")

// Guard is the sidecar's handle of a guard process. It is safe for concurrent use.
type Guard struct {
	command *exec.Cmd
	orders  *os.File
	done    chan struct{}

	mu     sync.Mutex
	number uint64
	closed bool
}

// Config says what a guard is for.
type Config struct {
	// Command is the program that [Guard.Run] runs, with its arguments; nil for a guard that is only armed.
	Command []string
	// Report gets every report, in order, and must return soon. It is not called after [Guard.Done] is closed. It may be nil.
	Report func(Report)
}

// Start starts a guard: this program again, whose main function calls [Main] if [Invoked] says so. End it with [Guard.Close]. It
// fails if /proc does not show this process's own pid namespace, as the guard could not find descendants then.
func Start(c Config) (*Guard, error) {
	if err := ownProc(); err != nil {
		return nil, err
	}
	theirs, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer theirs.Close()
	reports, answers, err := os.Pipe()
	if err != nil {
		orders.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer answers.Close()
	g := &Guard{orders: orders, done: make(chan struct{})}
	g.command = exec.Command("/proc/self/exe")
	g.command.Args = append([]string{"lease-sidecar", subcommand, "--"}, c.Command...)
	g.command.Stdin, g.command.Stdout, g.command.Stderr = os.Stdin, os.Stdout, os.Stderr
	g.command.Env = append(os.Environ(), ignoredEntry())
	g.command.ExtraFiles = []*os.File{theirs, answers} // ordersFD, reportsFD
	// A process group of its own: a terminal's Ctrl-C and Ctrl-Z are for the sidecar.
	g.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.command.Start(); err != nil {
		orders.Close()
		reports.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	guards.Store(g.PID(), nil)
	go g.listen(reports, c.Report)
	return g, nil
}

// ownProc checks that /proc shows this process's own pid namespace.
func ownProc() error {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return fmt.Errorf("read /proc: %w: mount it, as the guard finds descendants there", err)
	}
	if self != strconv.Itoa(os.Getpid()) {
		return errors.New("/proc shows another pid namespace than this process's: mount it anew (unshare --mount-proc), as the guard finds descendants there")
	}
	return nil
}

// listen passes on reports until the guard ends, and reaps it.
func (g *Guard) listen(reports *os.File, report func(Report)) {
	defer close(g.done)
	defer reports.Close()
	for lines := bufio.NewScanner(reports); lines.Scan(); {
		var r Report
		if json.Unmarshal(lines.Bytes(), &r) == nil && report != nil {
			report(r)
		}
	}
	// No more reports: the guard has ended, or is ending.
	timer := time.AfterFunc(endTime, func() { _ = g.command.Process.Kill() })
	defer timer.Stop()
	_ = g.command.Wait() // how it ended does not matter
	guards.Delete(g.PID())
}

// PID returns the guard's process id.
func (g *Guard) PID() int { return g.command.Process.Pid }

// Done returns a channel that closes once the guard has ended and is reaped. The program has got SIGKILL by then.
// Descendants outside its process group may be alive: they are now children of the sidecar, if that is a subreaper.
func (g *Guard) Done() <-chan struct{} { return g.done }

// Run runs the program for a term, or moves the term's deadlines. It returns the order's number, which [Report].Taken
// reaches once the guard has taken the order.
func (g *Guard) Run(t Term) (uint64, error) { return g.send(message{Run: &t}) }

// Stop sends SIGTERM to the program, and SIGKILL to everything alive at the instant kill. A further Stop may move kill in
// either direction for the term with that token; for a program of another term it can only bring it closer. Without further
// orders, the last one stands. Stop returns the order's number.
func (g *Guard) Stop(token string, kill bootclock.Instant) (uint64, error) {
	return g.send(message{Stop: &stop{token, kill}})
}

// Forward sends a signal to the program's process group, if the program runs.
func (g *Guard) Forward(s syscall.Signal) error {
	_, err := g.send(message{Forward: s})
	return err
}

// Arm sets the deadlines of a process that the guard did not start, in place of the last order. If the sidecar dies, the
// process gets the signal at once, as nobody could withdraw it any more.
func (g *Guard) Arm(o procfs.Order) error {
	_, err := g.send(message{Arm: &o})
	return err
}

// Disarm withdraws the order of [Guard.Arm].
func (g *Guard) Disarm() error {
	_, err := g.send(message{Disarm: true})
	return err
}

// send writes an order. An error means that the guard has ended, or does not read.
func (g *Guard) send(m message) (uint64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, errGone
	}
	g.number++
	m.Number = g.number
	line, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("order the guard: %w", err)
	}
	_ = g.orders.SetWriteDeadline(time.Now().Add(sendTime)) // pipes support deadlines
	if _, err := g.orders.Write(append(line, '\n')); err != nil {
		// Half a line may have been written, so nothing valid can follow.
		g.kill()
		return 0, fmt.Errorf("order the guard: %w", err)
	}
	return m.Number, nil
}

// Kill ends an unreliable guard, and with it the program.
func (g *Guard) Kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kill()
}

func (g *Guard) kill() {
	_ = g.command.Process.Kill() // an error means that it has ended
	g.hangUp()
}

// hangUp closes the order pipe. The lock is held.
func (g *Guard) hangUp() {
	if !g.closed {
		g.closed = true
		g.orders.Close()
	}
}

// Close ends the guard and waits for its end. A running program is killed with its descendants; an armed process is not.
func (g *Guard) Close() error {
	_ = g.Disarm() // an error means that it has ended
	g.mu.Lock()
	g.hangUp()
	g.mu.Unlock()
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case <-g.done:
		return nil
	case <-timer.C:
	}
	g.Kill()
	<-g.done
	return errors.New("end the guard: it did not end by itself and was killed")
}
