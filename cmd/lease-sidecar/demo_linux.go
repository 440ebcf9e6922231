package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/demo"
)

// sizeOf returns what tells the size of the terminal that w is; nil where it is none, or one that only prints.
func sizeOf(w io.Writer) func() (columns, rows int) {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return func() (columns, rows int) {
		if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 && size.Row > 0 {
			return int(size.Col), int(size.Row)
		}
		return 80, 24 // it does not say
	}
}

func runDemo(c *cli.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: find this program: %w", err)
	}
	// However it ends, it removes its files: also when the terminal is closed, and when nobody reads its output to the end.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	return demo.Run(ctx, demo.Config{
		Self: self, Program: os.Args[0], Out: c.App.Writer, Size: sizeOf(c.App.Writer), Colour: os.Getenv("NO_COLOR") == "",
	})
}

func runToy(c *cli.Context) error {
	a := answersOf(c)
	dir := a.Text(signalDirFlag)
	if err := a.err(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return demo.Toy{Dir: dir, Out: c.App.Writer}.Run(ctx)
}
