// Command slow is a workload for the tests: it prints the signals TERM and USR1 that it gets, and after a TERM it ends once the file
// is there that its argument names.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1)
	fmt.Println("ready")
	for s, ending := range loop(signals) {
		switch {
		case s == syscall.SIGTERM:
			fmt.Println("SIGTERM")
		case s == syscall.SIGUSR1:
			fmt.Println("SIGUSR1")
		}
		if _, err := os.Stat(os.Args[1]); ending && err == nil {
			return
		}
	}
}

// loop yields each signal, and nil every 10 ms, with whether a TERM has come.
func loop(signals <-chan os.Signal) func(func(os.Signal, bool) bool) {
	return func(yield func(os.Signal, bool) bool) {
		ending := false
		for {
			var got os.Signal
			select {
			case got = <-signals:
			case <-time.After(10 * time.Millisecond):
			}
			ending = ending || got == syscall.SIGTERM
			if !yield(got, ending) {
				return
			}
		}
	}
}
