package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Watch implements [lease.Store]. The server ends it in good order after half an hour or more, as it chooses. It reads the
// frames itself: client-go's watcher cannot tell a server that closes from a connection that is cut, and allows frames of 16 MB.
func (s *Store) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	body, err := s.openWatch(ctx, from)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return s.explain("watch", err)
	}
	defer body.Close()
	if connected != nil {
		connected()
	}
	frames := newFrames(body)
	for {
		event, err := s.next(frames)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errPassed):
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return s.explain("watch", err)
		default:
			deliver(event)
		}
	}
}

func (s *Store) openWatch(ctx context.Context, from lease.Version) (io.ReadCloser, error) {
	ctx = context.WithValue(ctx, streamKey{}, true)
	request := s.prepare(s.client.current().Get()).
		Param("watch", "true").
		Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String())
	if from != "" {
		request = request.Param("resourceVersion", string(from))
	}
	return request.Stream(ctx)
}

// errPassed stands for a frame that carries no change.
var errPassed = errors.New("no change")

// next reads one frame. io.EOF is the end in good order: the server closed between two frames.
func (s *Store) next(f *frames) (lease.Event, error) {
	frame, err := f.next()
	if err != nil {
		return lease.Event{}, err
	}
	switch kind := watch.EventType(frame.Type); kind {
	case watch.Added, watch.Modified, watch.Deleted:
		o := &coordinationv1.Lease{}
		if err := json.Unmarshal(frame.Object.Raw, o); err != nil {
			return lease.Event{}, fmt.Errorf("read a %s event: %w", kind, err)
		}
		r, err := s.read(o)
		return lease.Event{Record: r, Deleted: kind == watch.Deleted}, err
	case watch.Error:
		return lease.Event{}, failure(frame)
	case watch.Bookmark:
		return lease.Event{}, errPassed
	default:
		return lease.Event{}, fmt.Errorf("unknown event type %.40q", frame.Type)
	}
}

// failure returns the error that an ERROR frame carries.
func failure(frame metav1.WatchEvent) error {
	failure := &apierrors.StatusError{}
	if err := json.Unmarshal(frame.Object.Raw, &failure.ErrStatus); err != nil {
		return fmt.Errorf("read an ERROR event: %w", err)
	}
	if failure.ErrStatus.Status != metav1.StatusFailure {
		return fmt.Errorf("an error event without an error in it: %q", failure.ErrStatus.Message)
	}
	return failure
}

// frames reads a watch's stream, frame by frame, none longer than largestBody.
type frames struct {
	body    io.Reader
	left    int // bytes that may still be read for the present frame
	decoder *json.Decoder
}

func newFrames(body io.Reader) *frames {
	f := &frames{body: body}
	f.decoder = json.NewDecoder(f)
	return f
}

func (f *frames) next() (metav1.WatchEvent, error) {
	f.left = largestBody
	frame := metav1.WatchEvent{}
	err := f.decoder.Decode(&frame)
	return frame, err
}

// Read implements [io.Reader] for the decoder.
func (f *frames) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, fmt.Errorf("a watch event is longer than %d bytes", largestBody)
	}
	n, err := f.body.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}
