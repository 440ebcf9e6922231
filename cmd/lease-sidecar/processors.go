package main

import (
	"os"
	"runtime"
)

// useOneProcessor has the runtime run Go code on one processor at a time. What this program does comes in bursts of about a
// millisecond, and each goroutine that another processor were woken for would cost more than the work itself: with one, an
// idle leader and its guard cost a fifth less. It also ends the runtime's own looks at the CPU limit, one a second in which
// anything happens. A thread in a system call does not count, so a slow disk still holds up nobody. Whoever has set
// GOMAXPROCS keeps it.
func useOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
