package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A run whose replicas do nothing fails, says why, and leaves nothing behind.
func TestRunFailsWithoutAMove(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for live, size := range map[bool]func() (int, int){false: nil, true: func() (int, int) { return 80, 24 }} {
		var out bytes.Buffer
		err := Run(context.Background(), Config{Self: "/bin/true", Out: &out, Size: size, moveTimeout: 300 * time.Millisecond})
		if !errors.Is(err, errNoMove) {
			t.Errorf("live %v: got %v; want %v", live, err, errNoMove)
		}
		if !strings.Contains(out.String(), "0 of 5 moves") || !strings.Contains(out.String(), "--- log of toy-a") {
			t.Errorf("live %v: the output is\n%s", live, out.String())
		}
		if entries, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(entries) > 0 {
			t.Errorf("live %v: it leaves %v, %v", live, entries, err)
		}
	}
}

func TestRunFailsWithoutAProgram(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for live, size := range map[bool]func() (int, int){false: nil, true: func() (int, int) { return 80, 24 }} {
		err := Run(context.Background(), Config{Self: "/no/such/program", Out: &bytes.Buffer{}, Size: size})
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("live %v: got %v", live, err)
		}
	}
}

// The demo can be left at any time.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, leave := context.WithCancelCause(context.Background())
	why := errors.New("the user has gone")
	time.AfterFunc(100*time.Millisecond, func() { leave(why) })
	if err := Run(ctx, Config{Self: "/bin/true", Out: &bytes.Buffer{}}); !errors.Is(err, why) {
		t.Errorf("got %v; want %v", err, why)
	}
}
