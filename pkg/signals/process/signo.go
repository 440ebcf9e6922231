package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Signo is a process signal by its Linux number; 0 is none.
type Signo syscall.Signal

// The process signals that this package distinguishes. Their numbers are the same on Linux amd64 and arm64.
const (
	hup  Signo = 1
	intr Signo = 2
	quit Signo = 3
	kill Signo = 9
	term Signo = 15
	cont Signo = 18
	stop Signo = 19
	tstp Signo = 20
	ttin Signo = 21
	ttou Signo = 22
)

const lastSignal = 64

// errNoSignal is the error for every unreadable signal.
var errNoSignal = errors.New("want a signal's name, such as HUP or SIGUSR1, or its number")

// ParseSignal reads HUP, SIGHUP, hup or 1. Numbers range to 64, except 32 and 33, which the C library reserves. "" is none.
func ParseSignal(s string) (Signo, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > lastSignal || n == 32 || n == 33 {
			return 0, fmt.Errorf("%w: numbers go from 1 to %d, without 32 and 33", errNoSignal, lastSignal)
		}
		return Signo(n), nil
	}
	if n := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")); n > 0 {
		return Signo(n), nil
	}
	return 0, errNoSignal
}

// String returns a name such as SIGHUP, or "signal 40" if there is none.
func (s Signo) String() string {
	if name := unix.SignalName(syscall.Signal(s)); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(int(s))
}

// Ends reports whether the signal is meant to end a process: TERM, INT, QUIT, KILL.
func (s Signo) Ends() bool { return s == term || s == intr || s == quit || s == kill }

// Parks reports whether the signal is meant to stop a process for a while: STOP, TSTP, TTIN, TTOU.
func (s Signo) Parks() bool { return s == stop || s == tstp || s == ttin || s == ttou }

// forced reports whether no process can catch, block or ignore the signal.
func (s Signo) forced() bool { return s == kill || s == stop }

// meant reports whether the signal may be sent to a process that does not catch it, as its default action is its purpose.
func (s Signo) meant() bool { return s.Ends() || s.Parks() || s == cont }
