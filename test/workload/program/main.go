// Command program is the workload of the tests: it writes down when it works, on the boot clock, and stops as well or as badly
// as real programs do.
//
// In child mode it works from its start. Else it works while it leads: as process signals say (SIGUSR1: work, SIGUSR2: rest), or
// as it asks itself. SIGTERM ends it. What it does at the end of its work is its conduct: a file's, or drawn anew at each start.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

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
