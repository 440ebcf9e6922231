package guard

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// again is the pause between rounds of killing.
	again = 5 * time.Millisecond
	// maxOrder bounds an order, in bytes.
	maxOrder = 1 << 20
)

// keeper is the guard process.
type keeper struct {
	argv    []string
	clock   bootclock.System
	reports *json.Encoder

	heard    uint64
	orphaned bool  // the sidecar is gone
	want     *Term // what is to run; nil: nothing
	ward     *ward // what runs, or still lives; nil: nothing
	ended    *End  // how the last program ended
	armed    *armed
	last     []byte
}

// Main is the guard process: it takes orders until they end, and returns once nothing that it ran lives. argv is the
// program with its arguments. It must be called from the process's main goroutine, which stays on its thread from then
// on.
func Main(argv []string, orders io.Reader, reports io.Writer) error {
	// The program is bound to the thread that starts it (PR_SET_PDEATHSIG), so that must live as long as the process.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the subreaper: %w", err)
	}
	// Caught, not ignored: what is ignored would be ignored by the program, too. Whoever signals everything (a cgroup's
	// manager, a session's end) means the workload; the guard ends last.
	deaf := make(chan os.Signal, 1)
	signal.Notify(deaf, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	defer signal.Stop(deaf)
	// What the sidecar was started with ignored (nohup), the program is to find ignored.
	if ignored := takeIgnored(); len(ignored) > 0 {
		signal.Ignore(ignored...)
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	k := &keeper{argv: argv, reports: json.NewEncoder(reports)}
	return k.run(read(orders), died)
}

// read turns lines into orders. The channel closes at the end, and at a line that makes no sense.
func read(orders io.Reader) <-chan message {
	heard := make(chan message)
	go func() {
		defer close(heard)
		lines := bufio.NewScanner(orders)
		lines.Buffer(nil, maxOrder)
		for lines.Scan() {
			var m message
			if json.Unmarshal(lines.Bytes(), &m) != nil {
				return
			}
			heard <- m
		}
	}()
	return heard
}

// run turns until the sidecar is gone and nothing is left to do.
func (k *keeper) run(orders <-chan message, died <-chan os.Signal) error {
	timer := k.clock.NewTimer()
	defer timer.Stop()
	for {
		select {
		case m, ok := <-orders:
			if ok {
				k.take(m)
			} else {
				k.orphaned, orders = true, nil
			}
		case <-died:
		case <-timer.C():
		}
		k.step(k.clock.Now())
		if k.orphaned && k.ward == nil && k.armed == nil {
			return nil
		}
		if err := k.report(); err != nil && !k.orphaned {
			k.orphaned = true // nobody listens: the sidecar is gone, and the orders end too
			k.step(k.clock.Now())
		}
		timer.Reset(k.rest(k.clock.Now()))
	}
}

// take notes an order.
func (k *keeper) take(m message) {
	k.heard = m.Number
	switch {
	case m.Run != nil:
		k.want = m.Run
	case m.Stop != nil:
		k.want = nil
		if k.ward != nil {
			k.ward.order(*m.Stop)
		}
	case m.Forward != 0 && k.ward != nil:
		k.ward.tell(m.Forward)
	case m.Arm != nil:
		if k.armed == nil || !k.armed.Equal(*m.Arm) {
			k.armed = &armed{Order: *m.Arm}
		}
	case m.Disarm:
		k.armed = nil
	}
}

// step does all that is due now.
func (k *keeper) step(now bootclock.Instant) {
	none := k.reap(now)
	if k.armed != nil && k.armed.step(now, k.orphaned) {
		k.armed = nil
	}
	if k.orphaned {
		k.want = nil
	}
	if k.ward != nil {
		k.tend(now)
		if none && k.ward.end != nil {
			k.ward = nil
		}
	}
	if k.ward == nil && k.due(now) {
		k.ward = start(k.argv, *k.want)
		if k.ward.end != nil {
			k.ended, k.ward = k.ward.end, nil
		}
	}
}

// due reports whether the program is to be started. In a term in which it has ended it is not: that term is to be
// given up.
func (k *keeper) due(now bootclock.Instant) bool {
	spent := k.ended != nil && k.want != nil && k.ended.Token == k.want.Token
	return k.want != nil && !spent && now.Before(k.want.Until) && len(k.argv) > 0
}

// tend holds the running program to its deadlines.
func (k *keeper) tend(now bootclock.Instant) {
	w := k.ward
	switch mine := k.want != nil && k.want.Token == w.token; {
	case k.orphaned:
		w.stopping, w.kill = true, 0
	case mine && !w.stopping && now.Before(k.want.Until):
		w.kill = k.want.Kill
	case mine:
		w.stop(k.want.Kill)
	default: // another term's
		w.stop(w.kill)
	}
	if w.stopping && !now.Before(w.deadline()) {
		w.slay()
	}
}

// reap collects whoever has ended. It reports whether no child is left: then nobody below is, as orphans come here.
func (k *keeper) reap(now bootclock.Instant) (none bool) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return true
		case pid == 0:
			return false
		}
		if w := k.ward; w != nil && pid == w.pid && w.end == nil {
			w.reaped(now, status)
			k.ended = w.end
		}
	}
}

// rest returns when something is due next; zero: when something happens.
func (k *keeper) rest(now bootclock.Instant) (next bootclock.Instant) {
	sooner := func(i bootclock.Instant) {
		if next.IsZero() || !i.IsZero() && i.Before(next) {
			next = i
		}
	}
	switch w := k.ward; {
	case w == nil:
	case w.stopping && !now.Before(w.deadline()):
		sooner(now.Add(again))
	case w.stopping:
		sooner(w.deadline())
	case k.want != nil:
		sooner(k.want.Until)
	}
	if k.armed != nil {
		sooner(k.armed.due(now))
	}
	return next
}

// report tells the sidecar how things stand, when that has changed.
func (k *keeper) report() error {
	r := Report{Heard: k.heard, Ended: k.ended}
	if w := k.ward; w != nil {
		r.Alive, r.Killed = true, w.killed
		if w.end == nil {
			r.PID = w.pid
		}
	}
	line, err := json.Marshal(r)
	if err != nil || string(line) == string(k.last) {
		return err
	}
	k.last = line
	return k.reports.Encode(json.RawMessage(line))
}
