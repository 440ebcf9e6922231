package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/demo"
)

// isTerminal reports whether a live table can be drawn on w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

func runDemo(c *cli.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: find this program: %w", err)
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	live := isTerminal(c.App.Writer) && os.Getenv("TERM") != "dumb"
	return demo.Run(ctx, demo.Config{
		Self: self, Out: c.App.Writer, Live: live, Colour: os.Getenv("NO_COLOR") == "",
	})
}

func runToy(c *cli.Context) error {
	a := answersOf(c)
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	toy := demo.Toy{Dir: a.Text(signalDirFlag), Out: c.App.Writer, Drained: func(ctx context.Context) error {
		return sidecar.Order(ctx, "/drained")
	}}
	return toy.Run(ctx)
}
