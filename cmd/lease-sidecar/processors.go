package main

import (
	"os"
	"runtime"
)

// useOneProcessor has the runtime run Go code on one processor at a time. What this program does comes in bursts of about a
// millisecond, and waking another processor for a goroutine costs more than the work itself: with one, an idle leader and its
// guard cost less and wake up half as often (make bench-idle). It also ends the runtime's own looks at the CPU limit, one in each
// second in which anything happens. A thread in a system call does not count, so a slow disk holds up nobody. Whoever has set
// GOMAXPROCS keeps it.
func useOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
