// Command program is the workload of the tests: it writes down when it works, on the boot clock, and stops as well or as badly
// as real programs do.
//
// In child mode it works from its start. Else it works while it leads: as process signals say (SIGUSR1: work, SIGUSR2: rest), or
// as it asks itself. SIGTERM ends it. What it does at the end of its work is its conduct: a file's, or drawn anew at each start.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// options are what the command line says.
type options struct {
	folder    string        // of the replica's journals
	pidFile   string        // where the program's pid is to be found once it catches its signals; "" for nowhere
	health    string        // address of the health endpoint, HOST:PORT or unix:PATH; "" for none
	serve     string        // address at which it answers requests; "" for none
	sidecar   string        // address of the sidecar's HTTP; "" for none
	reports   string        // when it reports that its work has stopped: "rest", where it lives on; "always"; "never"
	follow    string        // how it asks whether it leads: "file", "http"; "" for not at all
	signalDir string        // of the sidecar
	shows     string        // how it shows that it works: "lock", "running"; "" for not at all
	given     string        // the conduct of all starts, as JSON; "" for the folder's file, or one that is drawn
	stopFile  string        // says how long a stop takes, read at each stop; "" for the conduct
	seed      uint64        // with the number of the start, what the conduct is drawn from
	child     bool          // it works from its start
	bound     time.Duration // how long work may go on after the signal to stop; 0: for any time
	worker    bool          // this process is a worker
	parent    int           // of a worker: its parent's pid, which may have ended before the worker could ask
	linger    time.Duration // of a worker: how long it works on without its parent
	deaf      bool          // of a worker: it does not end at SIGTERM
}

func main() {
	var o options
	flag.StringVar(&o.folder, "folder", "", "the replica's folder")
	flag.StringVar(&o.pidFile, "pid-file", "", "where to write the pid, once signals are caught")
	flag.StringVar(&o.health, "health", "", "the health endpoint's address")
	flag.StringVar(&o.serve, "serve", "", "the address at which to answer HTTP requests")
	flag.StringVar(&o.sidecar, "sidecar", "", "the sidecar's HTTP address")
	flag.StringVar(&o.reports, "reports", "rest", "when to report that the work has stopped: rest, always, never")
	flag.StringVar(&o.follow, "follow", "", "how to ask whether this replica leads: file, http")
	flag.StringVar(&o.signalDir, "signal-dir", "", "the sidecar's signal directory")
	flag.StringVar(&o.shows, "shows", "", "how to show the work: lock, running")
	flag.StringVar(&o.given, "conduct", "", "the conduct of all starts, as JSON")
	flag.StringVar(&o.stopFile, "stop-file", "", "a file that says how long a stop takes")
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
			return j.Rest()
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
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGINT)
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
	if o.serve != "" {
		if err := o.serveRequests(); err != nil {
			return err
		}
	}
	if err := o.writePID(); err != nil {
		return err
	}
	p := process{options: o, conduct: c, journal: j, health: health, signals: signals}
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
	signals chan os.Signal
	workers []*exec.Cmd
	shown   io.Closer // while it works
}

// pollTick is the pause between two questions of a program that asks whether it leads.
const pollTick = 2 * time.Millisecond

// elected waits until the program is to work; false: it is to end.
func (p *process) elected() bool {
	var poll <-chan time.Time
	if p.follow != "" {
		ticker := time.NewTicker(pollTick)
		defer ticker.Stop()
		poll = ticker.C
	}
	for {
		select {
		case s := <-p.signals:
			switch {
			case s == syscall.SIGTERM:
				return false
			case s == syscall.SIGUSR1 && p.follow == "":
				return true
			}
		case <-poll:
			if p.begins() {
				return true
			}
		}
	}
}

// begins reports whether a program that asks leads, and shows that it works; it looks again once it shows it.
func (p *process) begins() bool {
	if !p.leads() {
		return false
	}
	shown, err := p.show()
	if err == nil && p.leads() {
		p.shown = shown
		return true
	}
	if shown != nil {
		_ = shown.Close()
	}
	return false
}

// stopTime is how long the work goes on after the signal to stop.
func (p *process) stopTime() time.Duration {
	if text, err := os.ReadFile(p.stopFile); err == nil {
		d, err := time.ParseDuration(string(text))
		if err == nil {
			return d
		}
	}
	return p.Stop
}

// term works until it has to stop. Over: the program is to end, not to rest.
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
	var stop bootclock.Instant // when the work ends; zero: nothing has ended it
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
		case p.Finish > 0 && now.Sub(began) >= p.Finish:
			tick.Stop()
			return p.end(true)
		}
		select {
		case <-tick.C:
			if stop.IsZero() && p.follow != "" && !p.leads() {
				stop = bootclock.System{}.Now().Add(p.stopTime())
			}
		case s := <-p.signals:
			if s != syscall.SIGTERM && s != syscall.SIGUSR2 || p.Ignore {
				continue
			}
			over = over || s == syscall.SIGTERM
			if stop.IsZero() {
				stop = bootclock.System{}.Now().Add(p.stopTime())
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
	if p.shown != nil {
		_ = p.shown.Close()
		p.shown = nil
	}
	if p.sidecar != "" && (p.reports == "always" || p.reports == "rest" && !over) {
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
