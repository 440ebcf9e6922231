// Package client queries the sidecar of this pod over HTTP, for this program's commands and the demo.
//
// It promises that a result is judged by the clock after the answer has come, if sidecar and caller share a clock, and that
// no answer of another pod's sidecar is accepted (package podid). An error means that nothing is known: neither that the
// sidecar leads nor that it does not.
package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// answerTime bounds one request. The sidecar answers from memory.
const answerTime = 5 * time.Second

// eventMax bounds a line of the event stream, in bytes.
const eventMax = 2 * leadership.DocumentMax

// ErrOtherPod says that another pod's sidecar answered, so nothing is known of this pod.
var ErrOtherPod = errors.New("the sidecar of another pod answered")

// Sidecar is the sidecar at one address. It is safe for concurrent use. Errors name the address and, if known, the fix.
type Sidecar struct {
	http    *http.Client
	base    string
	address string    // as the user gave it
	pod     podid.Pod // only this pod's answers are accepted
	bootID  string    // "" if this system has no boot clock that processes share
}

// New takes the sidecar's address, HOST:PORT (an empty HOST is this machine) or unix:PATH, and its pod: answers of other
// pods are refused, unless the pod is unknown. New makes no request. Its error is a [*field.Error] about the address.
func New(text string, pod podid.Pod) (*Sidecar, error) {
	if _, err := address.Parse(text); err != nil {
		return nil, err
	}
	transport := &http.Transport{} // no proxy: the sidecar is in this pod
	host := text
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		host = "localhost"
	} else if strings.HasPrefix(text, ":") {
		host = "localhost" + text
	}
	s := &Sidecar{http: &http.Client{Transport: transport}, base: "http://" + host, address: text, pod: pod}
	s.bootID, _ = bootclock.ID() // without an ID, the sidecar's own judgement counts
	return s, nil
}

// Close closes idle connections.
func (s *Sidecar) Close() { s.http.CloseIdleConnections() }

// Leadership returns what the sidecar knows, judged again by the clock after the answer. It fails within 5 s if the sidecar
// cannot be asked; then nothing is known.
func (s *Sidecar) Leadership(ctx context.Context) (leadership.Leadership, error) {
	status, header, body, err := s.do(ctx, http.MethodGet, "/leader")
	if err != nil {
		return leadership.Leadership{}, err
	}
	if status != http.StatusOK && status != http.StatusServiceUnavailable {
		return leadership.Leadership{}, s.strange(fmt.Errorf("status %d", status))
	}
	return s.read(header, body)
}

// read returns the leadership in a document of this pod's sidecar, judged again.
func (s *Sidecar) read(header http.Header, document []byte) (leadership.Leadership, error) {
	var l leadership.Leadership
	if err := json.Unmarshal(document, &l); err != nil {
		return leadership.Leadership{}, s.strange(err)
	}
	from := podid.Parse(header.Get(podid.Header))
	if s.pod.Sent(from, l) {
		if s.bootID != "" && l.BootID == s.bootID { // its deadline is on our clock
			l = l.At(bootclock.System{}.Now())
		}
		return l, nil
	}
	who := l.Identity
	if !from.IsZero() {
		who = from.Describe()
	}
	return leadership.Leadership{}, fmt.Errorf("%w at %s: %s, and this pod is %s: with hostNetwork the pods of a node share their ports, "+
		"so have the sidecar listen at unix:PATH in a volume of the pod, and ask there; else set POD_NAME and POD_UID alike for both "+
		"containers, from the downward API", ErrOtherPod, s.address, who, s.pod.Describe())
}

// strange is the error for an answer that no sidecar gives.
func (s *Sidecar) strange(err error) error {
	return fmt.Errorf("read the sidecar's answer: %w: is something else at %s?", err, s.address)
}

// Order posts to the path, such as "/step-down". It returns nil once the sidecar has taken the order, else the sidecar's
// explanation or why it cannot be asked. If the pod is known, it asks for the leadership first: no other pod may get the order.
func (s *Sidecar) Order(ctx context.Context, path string) error {
	if !s.pod.IsZero() {
		if _, err := s.Leadership(ctx); err != nil {
			return err
		}
	}
	status, _, body, err := s.do(ctx, http.MethodPost, path)
	if err != nil {
		return err
	}
	if status != http.StatusAccepted {
		return fmt.Errorf("the sidecar refused %s (%d): %s", path, status, reason(body))
	}
	return nil
}

// reason returns a refusal's explanation: the field of the sidecar's errors, or the whole body.
func reason(body []byte) string {
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &refusal) == nil && refusal.Error != "" {
		return refusal.Error
	}
	return strings.TrimSpace(string(body))
}

// do sends a request without a body and returns the status, the headers and the beginning of the answer.
func (s *Sidecar) do(ctx context.Context, method, path string) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	response, err := s.send(ctx, method, path)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, leadership.DocumentMax+1))
	if err == nil && len(body) > leadership.DocumentMax {
		err = fmt.Errorf("more than %d bytes", leadership.DocumentMax)
	}
	if err != nil {
		return 0, nil, nil, s.strange(err)
	}
	return response.StatusCode, response.Header, body, nil
}

// send sends a request without a body. The caller closes the answer's body.
func (s *Sidecar) send(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the sidecar: %w: is it running, and does it listen at %s?", err, s.address)
	}
	return response, nil
}

// Follow calls each with the sidecar's leadership, at once and at each transition. It returns nil when the stream ends, else
// each's error or why there is no stream; then use [Sidecar.Leadership].
func (s *Sidecar) Follow(ctx context.Context, each func(leadership.Leadership) error) error {
	response, err := s.send(ctx, http.MethodGet, "/events")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the sidecar at %s for events: status %d", s.address, response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, eventMax)
	for lines.Scan() {
		document, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // an event's name, a heartbeat, or a blank line
		}
		l, err := s.read(response.Header, []byte(document))
		if err != nil {
			return err
		}
		if err := each(l); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return s.strange(fmt.Errorf("an event of more than %d bytes", eventMax))
	} else if err != nil {
		return fmt.Errorf("read the sidecar's events: %w", err)
	}
	return nil
}
