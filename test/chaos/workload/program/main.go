// Command program is the workload of the chaos of work: it writes down when it works, on the boot clock, and stops as
// well or as badly as real programs do. It is built by the tests of package work.
//
// In child mode it works from its start. In the other modes SIGUSR1 makes it work; SIGTERM ends it, and SIGUSR2 lets it
// rest. What it does at the end of its work is its conduct, which is drawn anew at each start.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/chaos/workload/journal"
)

// options are what the command line says.
type options struct {
	folder  string        // of the replica's journals
	pidFile string        // where the program's pid is to be found once it catches its signals; "" for nowhere
	health  string        // address of the health endpoint; "" for none
	sidecar string        // address of the sidecar's HTTP, to say that the work has stopped; "" for not saying it
	seed    uint64        // with the number of the start, what the conduct is drawn from
	child   bool          // it works from its start
	bound   time.Duration // how long work may go on after the signal to stop; 0: for any time
	worker  bool          // this process is a worker
	parent  int           // of a worker: its parent's pid, which may have ended before the worker could ask
	linger  time.Duration // of a worker: how long it works on without its parent
	deaf    bool          // of a worker: it does not end at SIGTERM
}

func main() {
	var o options
	flag.StringVar(&o.folder, "folder", "", "the replica's folder")
	flag.StringVar(&o.pidFile, "pid-file", "", "where to write the pid, once signals are caught")
	flag.StringVar(&o.health, "health", "", "the health endpoint's address")
	flag.StringVar(&o.sidecar, "sidecar", "", "the sidecar's HTTP address, to be told that the work has stopped")
	flag.Uint64Var(&o.seed, "seed", 0, "what the conduct is drawn from")
	flag.BoolVar(&o.child, "child", false, "work from the start")
	flag.DurationVar(&o.bound, "bound", 0, "how long work may go on after the signal to stop")
	flag.BoolVar(&o.worker, "worker", false, "be a worker")
	flag.IntVar(&o.parent, "parent", 0, "of a worker: its parent's pid")
	flag.DurationVar(&o.linger, "linger", 0, "of a worker: how long it works on without its parent")
	flag.BoolVar(&o.deaf, "deaf", false, "of a worker: do not end at SIGTERM")
	flag.Parse()
	run := o.command
	if o.worker {
		run = o.work
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(1)
	}
}

// work is a worker's life: it works until its parent has been gone for linger, or SIGTERM ends it.
func (o options) work() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGINT)
	j, err := journal.Create(o.folder, journal.Worker)
	if err != nil {
		return err
	}
	var alone bootclock.Instant
	for tick := time.NewTicker(journal.Tick); ; {
		now, err := j.Mark()
		if err != nil {
			return err
		}
		if alone.IsZero() && os.Getppid() != o.parent {
			alone = now
		}
		if !alone.IsZero() && now.Sub(alone) >= o.linger {
			return nil
		}
		select {
		case <-tick.C:
		case s := <-stop:
			if s == syscall.SIGTERM && !o.deaf {
				return nil
			}
		}
	}
}

// command is the program's life.
func (o options) command() error {
	told := make(chan os.Signal, 16)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGINT)
	c, err := o.load()
	if err != nil {
		return err
	}
	j, err := journal.Create(o.folder, journal.Command)
	if err != nil {
		return err
	}
	var health net.Listener
	if o.health != "" {
		if health, err = o.serveHealth(); err != nil {
			return err
		}
	}
	if err := o.writePID(); err != nil {
		return err
	}
	p := process{options: o, conduct: c, journal: j, health: health, told: told}
	for p.child || p.elected() {
		if over, err := p.term(); over || err != nil {
			return err
		}
	}
	return nil
}

// writePID names this process in the file, at once and whole.
func (o options) writePID() error {
	if o.pidFile == "" {
		return nil
	}
	err := os.WriteFile(o.pidFile+".new", fmt.Appendln(nil, os.Getpid()), 0o600)
	if err == nil {
		err = os.Rename(o.pidFile+".new", o.pidFile)
	}
	if err != nil {
		return fmt.Errorf("write the pid file: %w", err)
	}
	return nil
}

// process is a running program.
type process struct {
	options
	conduct
	journal *journal.Writer
	health  net.Listener
	told    chan os.Signal
	workers []*exec.Cmd
}

// elected waits until the program is to work; false: it is to end.
func (p *process) elected() bool {
	for s := range p.told {
		switch s {
		case syscall.SIGUSR1:
			return true
		case syscall.SIGTERM:
			return false
		}
	}
	return false
}

// term works until it is told to stop. Over: the program is to end, not to rest.
func (p *process) term() (over bool, err error) {
	began, err := p.journal.Mark()
	if err != nil {
		return true, err
	}
	for range p.Workers {
		if err := p.hire(); err != nil {
			return true, err
		}
	}
	var stop bootclock.Instant // when the work ends; zero: it has not been told
	for tick := time.NewTicker(journal.Tick); ; {
		now, err := p.journal.Mark()
		switch {
		case err != nil:
			return true, err
		case !stop.IsZero() && !now.Before(stop):
			tick.Stop()
			return p.end(over)
		case p.Crash > 0 && now.Sub(began) >= p.Crash:
			os.Exit(3)
		}
		select {
		case <-tick.C:
		case s := <-p.told:
			if s != syscall.SIGTERM && s != syscall.SIGUSR2 || p.Ignore {
				continue
			}
			over = over || s == syscall.SIGTERM
			if stop.IsZero() {
				stop = bootclock.System{}.Now().Add(p.Stop)
			}
			if p.Unlisten && p.health != nil && over {
				_ = p.health.Close()
			}
		}
	}
}

// end ends the work after its last mark, and reports whether the program ends, too.
func (p *process) end(over bool) (bool, error) {
	if over && p.Leave {
		os.Exit(0)
	}
	for _, w := range p.workers {
		_ = w.Process.Kill()
		_ = w.Wait()
	}
	p.workers = nil
	if err := p.journal.Rest(); err != nil {
		return true, err
	}
	if p.sidecar != "" && !over {
		p.drained()
	}
	return over, nil
}

// hire starts a worker.
func (p *process) hire() error {
	w := exec.Command("/proc/self/exe", "-worker", "-folder", p.folder, "-parent", strconv.Itoa(os.Getpid()), "-linger", p.Linger.String(), "-deaf="+strconv.FormatBool(p.Deaf))
	w.Args[0] = "worker"
	w.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := w.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	p.workers = append(p.workers, w)
	return nil
}
