//go:build !linux

package dir

import (
	"context"
	"errors"
	"log/slog"
)

var (
	errBusy        = errors.New("the lock of the Lease's files is taken")
	errUnsupported = errors.New("the directory store runs on Linux only: use --store kube, or run the sidecar in a container")
)

type lockFile struct{}

func (*lockFile) release() {}

func (files) lock(context.Context) (*lockFile, error) { return nil, errUnsupported }

func (files) tryLock() (*lockFile, error) { return nil, errUnsupported }

func refuseNetwork(string, *slog.Logger) error { return errUnsupported }
