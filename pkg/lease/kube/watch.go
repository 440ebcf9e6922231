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
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Watch implements [lease.Store]. The server ends it in good order after half an hour or more, as it chooses.
func (s *Store) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	request := s.prepare(s.client.streams().Get()).
		Param("watch", "true").
		Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String())
	if from != "" {
		request = request.Param("resourceVersion", string(from))
	}
	return follow(ctx, request, connected, func(frame metav1.WatchEvent) error {
		o, deleted, err := readFrame(frame)
		if err != nil {
			return err
		}
		r, err := s.read(o)
		if err != nil {
			return err
		}
		deliver(lease.Event{Record: r, Deleted: deleted})
		return nil
	}, func(lease.Version) {}, func(err error) error { return s.explain("watch", err) })
}

// follow opens a watch, and calls deliver for each of its frames and passed for the version of each bookmark. It reads the
// frames itself: client-go's watcher cannot tell a server that closes from a connection that is cut, and allows frames of 16 MB.
func follow(
	ctx context.Context, request *rest.Request, connected func(), deliver func(metav1.WatchEvent) error, passed func(lease.Version), explain func(error) error,
) error {
	body, err := request.Stream(context.WithValue(ctx, streamKey{}, true))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return explain(err)
	}
	defer body.Close()
	if connected != nil {
		connected()
	}
	frames := newFrames(body)
	for {
		frame, err := frames.next()
		if err == nil && ctx.Err() == nil {
			if watch.EventType(frame.Type) == watch.Bookmark {
				err = bookmark(frame, passed)
			} else {
				err = deliver(frame)
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF): // between two frames: the end in good order
			return nil
		case err != nil:
			return explain(err)
		}
	}
}

// bookmark passes on the version of a frame that carries no change.
func bookmark(frame metav1.WatchEvent, passed func(lease.Version)) error {
	o := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(frame.Object.Raw, o); err != nil {
		return fmt.Errorf("read a BOOKMARK event: %w", err)
	}
	if version, err := lease.ParseVersion(o.ResourceVersion); err == nil {
		passed(version)
	}
	return nil
}

// readFrame reads the Lease of a frame that carries a change, or the error that the server sent in its place.
func readFrame(frame metav1.WatchEvent) (o *coordinationv1.Lease, deleted bool, err error) {
	switch kind := watch.EventType(frame.Type); kind {
	case watch.Added, watch.Modified, watch.Deleted:
		o := &coordinationv1.Lease{}
		if err := json.Unmarshal(frame.Object.Raw, o); err != nil {
			return nil, false, fmt.Errorf("read a %s event: %w", kind, err)
		}
		return o, kind == watch.Deleted, nil
	case watch.Error:
		failure := &apierrors.StatusError{}
		if err := json.Unmarshal(frame.Object.Raw, &failure.ErrStatus); err != nil {
			return nil, false, fmt.Errorf("read an ERROR event: %w", err)
		}
		if failure.ErrStatus.Status != metav1.StatusFailure {
			return nil, false, fmt.Errorf("an error event without an error in it: %q", failure.ErrStatus.Message)
		}
		return nil, false, failure
	default:
		return nil, false, fmt.Errorf("unknown event type %.40q", frame.Type)
	}
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
