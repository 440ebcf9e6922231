package signals

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Signal is one way of telling the workload.
type Signal interface {
	// Name is a short constant for logs and metrics, such as "file".
	Name() string
	// Apply makes the level known and returns once it is. It judges l by its own clock ([leadership.Leadership.At])
	// before it tells anyone that this replica leads. It must return soon after ctx ends, which it does when a
	// level of another term has come. Calls of one signal never overlap; the level may be the same as the last.
	Apply(ctx context.Context, l leadership.Leadership) error
}

// Observer is told of every attempt at a signal; its methods may be called from several goroutines at once.
type Observer interface {
	// Applied reports an attempt: its signal's name, the time since the fact became known
	// ([leadership.Leadership.Observed]; 0 where that is unknown), and how it ended.
	Applied(signal string, latency time.Duration, err error)
}
