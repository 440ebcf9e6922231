package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// threadsMax bounds how many threads are looked at for a blocked signal.
const threadsMax = 4096

// masks say what a process does with signals, a bit for each, the lowest for signal 1. Pending are those that were sent
// to the process, not to one of its threads, and that no thread has taken yet.
type masks struct{ blocked, ignored, caught, pending uint64 }

func (s Signo) in(mask uint64) bool { return mask>>(s-1)&1 == 1 }

// admit refuses a signal that would not do what it is sent for: one that is meant as news to a process that would die
// of it, or does not hear it; one that is meant to end a process which ignores it.
func admit(e entry, s Signo, fenced bool) error {
	m, err := readMasks(fmt.Sprintf("%d", e.pid))
	if err != nil {
		return fmt.Errorf("see what %s does with %s: %w", e, s, err)
	}
	caught := s.in(m.caught) || s.in(m.blocked) && blockedByAll(e.pid, s)
	switch {
	case e.pid == 1 && (s.forced() || s.meant() && !caught):
		return fmt.Errorf("%s does nothing to %s: the kernel keeps the first process of a pid namespace from it: run the program under an init (docker: init, Kubernetes: shareProcessNamespace)", s, e)
	case s.forced() || s == cont || caught:
		return nil
	case s.in(m.ignored) && s.meant() && fenced:
		return nil // the fence ends it
	case s.in(m.ignored):
		return fmt.Errorf("%s ignores %s: choose a signal that it acts on", e, s)
	case s.meant():
		return nil
	}
	return fmt.Errorf("%s does not catch %s and would die of it, or not hear it: choose a signal that it catches, or for --on-lost TERM or STOP", e, s)
}

// readMasks reads the masks of a process, or of a thread as "PID/task/TID".
func readMasks(task string) (masks, error) {
	status, err := readStatus(task)
	if err != nil {
		return masks{}, err
	}
	var m masks
	for key, into := range map[string]*uint64{"SigBlk": &m.blocked, "SigIgn": &m.ignored, "SigCgt": &m.caught, "ShdPnd": &m.pending} {
		if *into, err = strconv.ParseUint(status[key], 16, 64); err != nil {
			return masks{}, fmt.Errorf("read %s: %w", key, err)
		}
	}
	return m, nil
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

// blockedByAll reports whether no thread would take the signal by itself, which is how sigwait and signalfd want it.
func blockedByAll(pid int, s Signo) bool {
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
		if m, err := readMasks(fmt.Sprintf("%d/task/%s", pid, thread)); err != nil || !s.in(m.blocked) {
			return false
		}
	}
	return true
}

// owner returns the real UID of a process, in words.
func owner(pid int) string {
	status, err := readStatus(strconv.Itoa(pid))
	if uids := strings.Fields(status["Uid"]); err == nil && len(uids) > 0 {
		return uids[0]
	}
	return "unknown"
}
