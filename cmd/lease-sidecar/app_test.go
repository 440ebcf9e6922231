package main

import (
	"io"
	"testing"

	"github.com/urfave/cli/v2"
)

// urfave exits by itself on an error that carries an exit code. Ours must come back to main, or nothing deferred
// would run; a failure of this test is a test binary that ends with 7.
func TestAppNeverExits(t *testing.T) {
	app := newApp(nil, nil, io.Discard, io.Discard)
	app.Command("version").Action = func(*cli.Context) error { return cli.Exit("", 7) }
	if err := app.Run([]string{"lease-sidecar", "version"}); err == nil {
		t.Error("the error got lost")
	}
}
