package process

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Signo is a process signal by its Linux number; 0 is none.
type Signo syscall.Signal

// The signals that this package distinguishes, by their numbers on Linux (amd64 and arm64 alike).
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

// names are the Linux names, by number.
var names = [...]string{
	1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
	11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 16: "STKFLT", 17: "CHLD", 18: "CONT", 19: "STOP",
	20: "TSTP", 21: "TTIN", 22: "TTOU", 23: "URG", 24: "XCPU", 25: "XFSZ", 26: "VTALRM", 27: "PROF", 28: "WINCH",
	29: "IO", 30: "PWR", 31: "SYS",
}

const lastSignal = 64

// errNoSignal is what every unreadable signal is.
var errNoSignal = errors.New("want a signal's name, such as HUP or SIGUSR1, or its number")

// ParseSignal reads HUP, SIGHUP, hup or 1. Numbers go to 64, but for the two that the C library keeps to itself (32
// and 33). "" is none.
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
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n := slices.Index(names[:], name); n > 0 {
		return Signo(n), nil
	}
	return 0, errNoSignal
}

// String returns SIGHUP, or "signal 40" for one without a name.
func (s Signo) String() string {
	if int(s) < len(names) && s > 0 {
		return "SIG" + names[s]
	}
	return "signal " + strconv.Itoa(int(s))
}

// Ends reports whether the signal is meant to end a process: TERM, INT, QUIT, KILL.
func (s Signo) Ends() bool { return s == term || s == intr || s == quit || s == kill }

// Parks reports whether the signal is meant to stop a process for a while: STOP, TSTP, TTIN, TTOU.
func (s Signo) Parks() bool { return s == stop || s == tstp || s == ttin || s == ttou }

// forced reports whether no process can catch, block or ignore the signal.
func (s Signo) forced() bool { return s == kill || s == stop }

// meant reports whether a process that does not catch the signal may get it all the same: what the signal then does
// to it is what it is sent for.
func (s Signo) meant() bool { return s.Ends() || s.Parks() || s == cont }
