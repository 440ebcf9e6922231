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
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// answerTime bounds one question to the sidecar, which answers from memory.
const answerTime = 5 * time.Second

// eventMax bounds a line of the event stream, in bytes.
const eventMax = 2 * leadership.DocumentMax

// Sidecar is the sidecar at one address. Its methods may be called from several goroutines at once.
type Sidecar struct {
	http *http.Client
	base string
	// address is as the user gave it; pod is whose sidecar is believed.
	address string
	pod     httpapi.Pod
	bootID  string // "" where this system has no boot clock that processes share
}

// New takes the address that the sidecar was told to listen at: HOST:PORT (without a host: this machine's) or
// unix:PATH. It contacts nobody.
func New(text string) (*Sidecar, error) {
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
	s := &Sidecar{http: &http.Client{Transport: transport}, base: "http://" + host, address: text}
	s.bootID, _ = bootclock.ID() // without one the answer is as the sidecar judged it
	return s, nil
}

// Close lets go of idle connections.
func (s *Sidecar) Close() { s.http.CloseIdleConnections() }

// Leadership returns what the sidecar knows, judged by the clock once more when the answer is here. It fails within
// five seconds where the sidecar cannot be asked: then nothing is known.
func (s *Sidecar) Leadership(ctx context.Context) (leadership.Leadership, error) {
	status, header, body, err := s.do(ctx, http.MethodGet, "/leader")
	if err != nil {
		return leadership.Leadership{}, err
	}
	if status != http.StatusOK && status != http.StatusServiceUnavailable {
		return leadership.Leadership{}, fmt.Errorf("ask the sidecar: it answered %d, which is no sidecar's answer: is something else at --http-address?", status)
	}
	var l leadership.Leadership
	if err := json.Unmarshal(body, &l); err != nil {
		return leadership.Leadership{}, fmt.Errorf("ask the sidecar: %w", err)
	}
	if err := s.check(header.Get(httpapi.PodHeader), l); err != nil {
		return leadership.Leadership{}, err
	}
	return s.judged(l), nil
}

// Order posts to the path, such as "/step-down". It returns nil when the sidecar has taken the order, a [*Refusal]
// when it answered otherwise, and another error where it cannot be asked. Where the pod is known, it asks first whose
// sidecar answers: another pod's gets no order.
func (s *Sidecar) Order(ctx context.Context, path string) error {
	if s.pod != (httpapi.Pod{}) {
		if _, err := s.Leadership(ctx); err != nil {
			return err
		}
	}
	status, _, body, err := s.do(ctx, http.MethodPost, path)
	if err != nil {
		return err
	}
	if status != http.StatusAccepted {
		return &Refusal{Path: path, Status: status, Reason: reason(body)}
	}
	return nil
}

// Refusal is the answer to an order that the sidecar did not take.
type Refusal struct {
	// Path is the order's, Status the HTTP status, Reason the sidecar's words.
	Path   string
	Status int
	Reason string
}

// Error says all three.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the sidecar refused %s (%d): %s", r.Path, r.Status, r.Reason)
}

// reason returns the words of a refusal: the sidecar's own form of errors, or all of the body.
func reason(body []byte) string {
	var words struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &words) == nil && words.Error != "" {
		return words.Error
	}
	return strings.TrimSpace(string(body))
}

// judged returns l as it stands now, where the clock of its deadline is ours too.
func (s *Sidecar) judged(l leadership.Leadership) leadership.Leadership {
	if s.bootID == "" || l.BootID != s.bootID {
		return l
	}
	return l.At(bootclock.System{}.Now())
}

// do sends a request without a body and returns the status, the headers and a bounded answer.
func (s *Sidecar) do(ctx context.Context, method, path string) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("ask the sidecar: %w: is it running, with this --http-address?", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, leadership.DocumentMax+1))
	if err == nil && len(body) > leadership.DocumentMax {
		err = fmt.Errorf("more than %d bytes", leadership.DocumentMax)
	}
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read the sidecar's answer: %w", err)
	}
	return response.StatusCode, response.Header, body, nil
}

// Follow calls each with what the sidecar knows, first at once, then at each transition. It returns when the stream
// ends, or with each's error.
func (s *Sidecar) Follow(ctx context.Context, each func(leadership.Leadership) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/events", nil)
	if err != nil {
		return err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the sidecar: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the sidecar: it answered %d", response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, eventMax)
	for lines.Scan() {
		document, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // an event's name, a heartbeat, or the blank line between two
		}
		var l leadership.Leadership
		if err := json.Unmarshal([]byte(document), &l); err != nil {
			return fmt.Errorf("read the sidecar's events: %w: is something else at --http-address?", err)
		}
		if err := s.check(response.Header.Get(httpapi.PodHeader), l); err != nil {
			return err
		}
		if err := each(s.judged(l)); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("read the sidecar's events: a line has more than %d bytes: is something else at --http-address?", eventMax)
	} else if err != nil {
		return fmt.Errorf("read the sidecar's events: %w", err)
	}
	return nil
}
