//go:build linux

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fateKey finds a request's fate where its answer arrives.
type fateKey struct{}

// detach reads the whole of a request, which then outlives its sender and ends with the storm only.
func (s *Storm) detach(r *http.Request) (*http.Request, error) {
	_, err := buffer(r)
	return r.Clone(s.ended), err
}

// buffer reads the whole of a request, and leaves an equal body in its place. Until then the server does not see its sender give up.
func buffer(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// IsRelease reports whether a request writes a Lease without a holder that says that its holder has released it. It puts back the
// body that it reads.
func IsRelease(r *http.Request) bool {
	if r.Method != http.MethodPut {
		return false
	}
	var l coordinationv1.Lease
	body, err := buffer(r)
	return err == nil && json.Unmarshal(body, &l) == nil && (l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "") &&
		strings.HasPrefix(l.Annotations[naming.AnnotationFencedBy], "released@")
}

// answer gives what the fate says in place of the API server.
func (f Fate) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	body := f.Body
	if body == nil {
		body, _ = json.Marshal(metav1.Status{ // a Status of plain fields always has a form
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusFailure, Code: int32(f.Status), Message: "a storm: " + http.StatusText(f.Status),
		})
	}
	_, _ = w.Write(body)
}

// holdBack slows down an answer of the API server as the request's fate says.
func holdBack(res *http.Response) error {
	ctx := res.Request.Context()
	f, _ := ctx.Value(fateKey{}).(Fate)
	if !sleep(ctx, f.Slow) {
		return ctx.Err()
	}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil && f.Date != 0 {
		res.Header.Set("Date", date.Add(f.Date).Format(http.TimeFormat))
	}
	if f.Stall != nil {
		res.Body = stalled{ReadCloser: res.Body, until: f.Stall, ctx: ctx}
	}
	return nil
}

// vanish ends a request without an answer. To return from the handler would be an answer: an empty 200, which a sender that is
// giving up can still read.
func vanish() { panic(http.ErrAbortHandler) }

// unreachable answers a request that did not reach the API server; of a sender that has given up, not at all.
func unreachable(w http.ResponseWriter, r *http.Request, _ error) {
	if r.Context().Err() != nil {
		vanish()
	}
	w.WriteHeader(http.StatusBadGateway)
}

// sleep waits for d, and reports whether it could wait that long.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// stalled is a body that brings nothing until its time has come.
type stalled struct {
	io.ReadCloser
	until <-chan struct{}
	ctx   context.Context //nolint:containedctx // the request's own: a body is read without one
}

// Read implements [io.Reader].
func (s stalled) Read(p []byte) (int, error) {
	select {
	case <-s.until:
		return s.ReadCloser.Read(p)
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// unread takes an answer that nobody is to see.
type unread struct{ header http.Header }

func newUnread() http.ResponseWriter { return unread{http.Header{}} }

// Header implements [http.ResponseWriter].
func (u unread) Header() http.Header { return u.header }

// Write implements [http.ResponseWriter].
func (unread) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (unread) WriteHeader(int) {}
