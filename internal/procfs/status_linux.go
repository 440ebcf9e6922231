package procfs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// threadsMax bounds the threads examined for a blocked signal.
const threadsMax = 4096

// SignalSet is a set of signals. The lowest bit is signal 1.
type SignalSet uint64

// Has reports whether the set contains a signal. It never contains 0.
func (s SignalSet) Has(n syscall.Signal) bool { return n > 0 && s>>(n-1)&1 == 1 }

// Signals says how a process handles signals.
type Signals struct {
	// Blocked are the signals that its first thread blocks.
	Blocked SignalSet
	// Ignored and Caught are process-wide.
	Ignored, Caught SignalSet
	// Pending were sent to the process, not to one of its threads, and are not yet taken.
	Pending SignalSet
}

// ReadSignals reads how a process handles signals from /proc/PID/status.
func ReadSignals(pid int) (Signals, error) { return readSignals(strconv.Itoa(pid)) }

// readSignals reads it for a process, or for a thread given as "PID/task/TID".
func readSignals(task string) (Signals, error) {
	status, err := readStatus(task)
	if err != nil {
		return Signals{}, err
	}
	var s Signals
	for key, into := range map[string]*SignalSet{"SigBlk": &s.Blocked, "SigIgn": &s.Ignored, "SigCgt": &s.Caught, "ShdPnd": &s.Pending} {
		mask, err := strconv.ParseUint(status[key], 16, 64)
		if err != nil {
			return Signals{}, fmt.Errorf("read %s: %w", key, err)
		}
		*into = SignalSet(mask)
	}
	return s, nil
}

func readStatus(task string) (map[string]string, error) {
	b, err := os.ReadFile("/proc/" + task + "/status")
	if err != nil {
		return nil, err
	}
	status := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		status[key] = strings.TrimSpace(value)
	}
	return status, nil
}

// BlockedByAll reports whether every thread blocks a signal, as in a program that uses sigwait or signalfd.
func BlockedByAll(pid int, s syscall.Signal) bool {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	defer dir.Close()
	threads, err := dir.Readdirnames(threadsMax)
	if err != nil || len(threads) == threadsMax {
		return false
	}
	for _, thread := range threads {
		if signals, err := readSignals(fmt.Sprintf("%d/task/%s", pid, thread)); err != nil || !signals.Blocked.Has(s) {
			return false
		}
	}
	return true
}

// Owner returns a process's real UID in decimal, or "unknown".
func Owner(pid int) string {
	status, err := readStatus(strconv.Itoa(pid))
	if uids := strings.Fields(status["Uid"]); err == nil && len(uids) > 0 {
		return uids[0]
	}
	return "unknown"
}
