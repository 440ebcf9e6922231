package guard

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// killRound is the time from one round of killing to the next.
	killRound = 5 * time.Millisecond
	// maxOrder bounds an order, in bytes.
	maxOrder = 1 << 20
)

// supervisor is the guard process. It takes the sidecar's orders and enforces their deadlines.
type supervisor struct {
	argv    []string
	clock   bootclock.System
	reports *json.Encoder

	taken    uint64   // the number of the last order
	orphaned bool     // the sidecar is gone
	want     *Term    // the term to run; nil: none
	program  *program // the program that runs or has left something; nil: none
	ended    *End     // how the last program ended
	armed    *armed   // the deadlines of a process that the guard did not start; nil: none
	last     []byte   // the last report
}

// Main is the guard process: it takes orders until they end, and returns once nothing that it ran is alive. argv is the
// program with its arguments, as from [Invoked]. Call it from the main goroutine, which it locks to its thread.
func Main(argv []string) error {
	syscall.CloseOnExec(ordersFD)
	syscall.CloseOnExec(reportsFD)
	// The kernel kills the program when the thread that started it ends (PR_SET_PDEATHSIG), so this thread must not end.
	runtime.LockOSThread()
	if err := procfs.Subreaper(); err != nil {
		return err
	}
	// Catch and drop these signals. The program would inherit it if they were ignored. A sender that signals every process
	// (a cgroup's manager, a session's end) means the workload; the guard must end last.
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	defer signal.Stop(dropped)
	// Ignore what the sidecar was started with ignored (nohup), for the program to inherit.
	if ignored := takeIgnored(); len(ignored) > 0 {
		signal.Ignore(ignored...)
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	s := &supervisor{argv: argv, reports: json.NewEncoder(os.NewFile(reportsFD, "reports"))}
	return s.run(read(os.NewFile(ordersFD, "orders")), died)
}

// read turns lines into orders. The channel closes at the end of input or at an invalid line.
func read(orders io.Reader) <-chan message {
	read := make(chan message)
	go func() {
		defer close(read)
		lines := bufio.NewScanner(orders)
		lines.Buffer(nil, maxOrder)
		for lines.Scan() {
			var m message
			if json.Unmarshal(lines.Bytes(), &m) != nil {
				return
			}
			read <- m
		}
	}()
	return read
}

// run returns once the sidecar is gone and nothing is left to do.
func (s *supervisor) run(orders <-chan message, died <-chan os.Signal) error {
	timer := s.clock.NewTimer()
	defer timer.Stop()
	for {
		select {
		case m, ok := <-orders:
			if ok {
				s.take(m)
			} else {
				s.orphaned, orders = true, nil
			}
		case <-died:
		case <-timer.C():
		}
		s.step(s.clock.Now())
		if s.orphaned && s.program == nil && s.armed == nil {
			return nil
		}
		if err := s.report(); err != nil && !s.orphaned {
			s.orphaned = true // nobody reads the reports: the sidecar is gone, and the orders will end too
			s.step(s.clock.Now())
		}
		timer.Reset(s.due(s.clock.Now()))
	}
}

// take records an order; step acts on it.
func (s *supervisor) take(m message) {
	s.taken = m.Number
	switch {
	case m.Run != nil:
		s.want = m.Run
	case m.Stop != nil:
		s.want = nil
		if s.program != nil {
			s.program.order(*m.Stop)
		}
	case m.Forward != 0 && s.program != nil:
		s.program.signal(m.Forward)
	case m.Arm != nil:
		if s.armed == nil || !s.armed.Equal(*m.Arm) {
			s.armed = &armed{Order: *m.Arm}
		}
	case m.Disarm:
		s.armed = nil
	}
}

func (s *supervisor) step(now bootclock.Instant) {
	none := s.reap(now)
	if s.armed != nil && s.armed.step(now, s.orphaned) {
		s.armed = nil
	}
	if s.orphaned {
		s.want = nil
	}
	if s.program != nil {
		s.enforce(now)
		if none && s.program.end != nil {
			s.program = nil
		}
	}
	if s.program == nil && s.startDue(now) {
		s.program = start(s.argv, *s.want)
		if s.program.end != nil {
			s.ended, s.program = s.program.end, nil
		}
	}
}

// startDue reports whether to start the program. It is not started again in a term in which it ended: the replica gives that up.
func (s *supervisor) startDue(now bootclock.Instant) bool {
	spent := s.ended != nil && s.want != nil && s.ended.Token == s.want.Token
	return s.want != nil && !spent && now.Before(s.want.Until) && len(s.argv) > 0
}

// enforce stops the program at its deadline, and kills it at its kill deadline.
func (s *supervisor) enforce(now bootclock.Instant) {
	p := s.program
	switch wanted := s.want != nil && s.want.Token == p.token; {
	case s.orphaned:
		p.stopping, p.kill = true, 0
	case wanted && !p.stopping && now.Before(s.want.Until):
		p.kill = s.want.Kill
	case wanted:
		p.stop(s.want.Kill)
	default: // the program of another term is wanted, or none
		p.stop(p.kill)
	}
	if p.stopping && !now.Before(p.deadline()) {
		p.killAll()
	}
}

// reap collects ended children. It reports whether no child, and so no descendant, is left. What an ended program left is looked for
// only where there is something: that look reads the whole of /proc, and the sidecar waits for the report to release the Lease.
func (s *supervisor) reap(now bootclock.Instant) (none bool) {
	ended := false
	none = procfs.Reap(func(pid int, how unix.WaitStatus) {
		if p := s.program; p != nil && pid == p.pid && p.end == nil {
			p.reaped(now, how)
			s.ended, ended = p.end, true
		}
	})
	if ended && !none {
		s.program.stopLeft()
	}
	return none
}

// due returns the next time at which step has work; zero: never.
func (s *supervisor) due(now bootclock.Instant) (next bootclock.Instant) {
	switch p := s.program; {
	case p == nil:
	case p.stopping && !now.Before(p.deadline()):
		next = now.Add(killRound)
	case p.stopping:
		next = p.deadline()
	case s.want != nil:
		next = s.want.Until
	}
	if s.armed != nil {
		next = sooner(next, s.armed.due(now))
	}
	return next
}

// sooner returns the earlier of two instants, where zero means never.
func sooner(a, b bootclock.Instant) bootclock.Instant {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// report sends the guard's state to the sidecar if it has changed.
func (s *supervisor) report() error {
	r := Report{Taken: s.taken, Ended: s.ended}
	if p := s.program; p != nil {
		r.Alive, r.Killed = true, p.killed
		if p.end == nil {
			r.PID = p.pid
		}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report to the sidecar: %w", err)
	}
	if string(line) == string(s.last) {
		return nil
	}
	s.last = line
	return s.reports.Encode(json.RawMessage(line))
}
