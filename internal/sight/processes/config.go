// Package processes sees whether the workload runs by the process table of a pid namespace that the pod's containers
// share (shareProcessNamespace): all processes in it count, but the sidecar's own and the pause process.
//
// It promises to see every process that lives, of whatever user. It does not see those of a container that has a pid
// namespace of its own, nor tell a program that works from one that waits: only when the pod ends must all be gone.
package processes

import (
	"fmt"
	"log/slog"
	"strings"
)

// Config says whom to watch.
type Config struct {
	// Except names processes that do not count, as their comm: helpers that outlive the workload.
	Except []string
	// Log takes what cannot be seen (Warn, when it changes).
	Log *slog.Logger
}

// ParseNames reads NAME,NAME; "" is none.
func ParseNames(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	names := strings.Split(s, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if names[i] == "" || strings.ContainsAny(names[i], "/\x00\n") {
			return nil, fmt.Errorf("want bare names of programs with commas between, such as envoy,pilot-agent, not %q", name)
		}
	}
	return names, nil
}
