package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
)

// A guard's pipes, as guard.Start lays them.
const (
	guardOrders  = 3
	guardReports = 4
)

// isGuard reports whether this process is to be a sidecar's guard, which the command line's machinery is too heavy for.
func isGuard(args []string) bool {
	return len(args) > 2 && args[1] == guard.Subcommand && args[2] == "--"
}

// runGuard is the guard process.
func runGuard(args []string) int {
	debug.SetGCPercent(20) // it keeps next to nothing
	syscall.CloseOnExec(guardOrders)
	syscall.CloseOnExec(guardReports)
	_ = shedIdlePages() // what fails costs memory only
	err := guard.Main(args[3:], os.NewFile(guardOrders, "orders"), os.NewFile(guardReports, "reports"))
	if err != nil {
		say := logwriter.New(os.Stderr, nil)
		fmt.Fprintf(say, "lease-sidecar guard: %v\n", err)
		say.Close(lastLine)
		return exitNo
	}
	return exitWell
}
