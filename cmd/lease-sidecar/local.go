package main

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

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/control"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// answerTime bounds one question to the sidecar, which answers from memory.
const answerTime = 5 * time.Second

// localSidecar is the sidecar of this pod, asked over its HTTP address.
type localSidecar struct {
	client *http.Client
	base   string
	bootID string // "" where this system has no boot clock that processes share
}

// newLocalSidecar takes the address that the sidecar was told to listen at: HOST:PORT (without a host: this machine's)
// or unix:PATH.
func newLocalSidecar(address string) (*localSidecar, error) {
	if err := control.CheckAddress(address); err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy: the sidecar is in this pod
	host := address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		host = "localhost"
	} else if strings.HasPrefix(address, ":") {
		host = "localhost" + address
	}
	s := &localSidecar{client: &http.Client{Transport: transport}, base: "http://" + host}
	s.bootID, _ = bootclock.ID() // without one the answer is as the sidecar judged it
	return s, nil
}

// local returns the sidecar that --http-address names.
func (a answers) local() *localSidecar {
	address := a.address("http-address")
	if address == "" {
		a.addf("--http-address is off: without it the sidecar cannot be asked")
		return nil
	}
	s, err := newLocalSidecar(address)
	a.of("http-address", err)
	return s
}

// judged returns l as it stands now, where the clock of its deadline is ours too.
func (s *localSidecar) judged(l leadership.Leadership) leadership.Leadership {
	if s.bootID == "" || l.BootID != s.bootID {
		return l
	}
	return l.At(bootclock.System{}.Now())
}

// ask returns what the sidecar knows.
func (s *localSidecar) ask(ctx context.Context) (leadership.Leadership, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	status, body, err := s.do(ctx, http.MethodGet, "/leader")
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
	return s.judged(l), nil
}

// do sends a request without a body and returns the status and a bounded answer.
func (s *localSidecar) do(ctx context.Context, method, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the sidecar: %w: is it running, with this --http-address?", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, leadership.DocumentMax))
	if err != nil {
		return 0, nil, fmt.Errorf("read the sidecar's answer: %w", err)
	}
	return response.StatusCode, body, nil
}

// errEnough ends a follow whose caller has seen what it waited for.
var errEnough = errors.New("seen enough")

// follow calls each with what the sidecar knows, first at once, then at each transition. It returns when the stream
// ends, or with each's error.
func (s *localSidecar) follow(ctx context.Context, each func(leadership.Leadership) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/events", nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the sidecar: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the sidecar: it answered %d", response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 2*leadership.DocumentMax)
	for lines.Scan() {
		document, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // an event's name, a heartbeat, or the blank line between two
		}
		var l leadership.Leadership
		if err := json.Unmarshal([]byte(document), &l); err != nil {
			return err
		}
		if err := each(s.judged(l)); err != nil {
			return err
		}
	}
	return lines.Err()
}
