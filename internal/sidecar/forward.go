//go:build linux

package sidecar

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// firstRealTime and lastRealTime are the real-time signals that no C library keeps for itself.
const (
	firstRealTime = syscall.Signal(35)
	lastRealTime  = syscall.Signal(64)
)

// forward passes on the process signals that mean the command: all but those that end the sidecar (TERM, INT), that a
// terminal's job control sends, that belong to the runtime, and HUP and QUIT where they were ignored at the start. Call stop when done: it joins what was started.
func forward(to *child.Child) (stop func()) {
	incoming := make(chan os.Signal, 16)
	signal.Notify(incoming, append(unlessIgnored(syscall.SIGHUP, syscall.SIGQUIT),
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR)...)
	for s := firstRealTime; s <= lastRealTime; s++ {
		signal.Notify(incoming, s)
	}
	done, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		for {
			select {
			case s := <-incoming:
				_ = to.Forward(s.(syscall.Signal)) // a guard that hears nothing is dealt with elsewhere
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(incoming)
		close(done)
		<-joined
	}
}
