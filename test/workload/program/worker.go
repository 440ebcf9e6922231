package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

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
