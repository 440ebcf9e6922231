//go:build linux

package contract

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The servers of the page.
const (
	workload = "http://127.0.0.1:4040"
	probes   = "http://localhost:4041"
)

// exchange is a request to a sidecar and its answer.
type exchange struct {
	request
	status int
	answer http.Header
	said   string // the answer's body
}

func (e exchange) String() string {
	return fmt.Sprintf("%s %s%s: %d %s", e.method, e.server, e.path, e.status, strings.TrimSpace(e.said))
}

// dial connects to one of a sidecar's addresses.
func dial(t *testing.T, r *harness.Local, server string) net.Conn {
	t.Helper()
	network, address := "unix", r.Socket()
	if server == probes {
		network, address = "tcp", r.Address("probe-address")
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// request is one to a sidecar.
type request struct {
	server, method, path string
	header               http.Header
	body                 string
	broken               bool // the body is in chunks, and the second one is none
	malformed            bool // it is not one that the page allows
}

// send sends a request over the connection, reads the answer, or the begin of one that stays open, and returns both.
func (q request) send(t *testing.T, conn net.Conn) exchange {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	host, header := "localhost", q.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if given := header.Get("Host"); given != "" {
		host = given
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\n", q.method, q.path)
	header.Set("Host", host)
	switch {
	case q.broken:
		header.Set("Transfer-Encoding", "chunked")
	case q.body != "":
		header.Set("Content-Length", strconv.Itoa(len(q.body)))
	}
	_ = header.Write(&text)
	text.WriteString("\r\n")
	if q.broken {
		text.WriteString("1\r\nx\r\nno number\r\n")
	} else {
		text.WriteString(q.body)
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	buffered := bufio.NewReader(conn)
	answer, err := http.ReadResponse(buffered, &http.Request{Method: q.method})
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	said, err := begin(answer)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	return exchange{q, answer.StatusCode, answer.Header, said}
}

// begin reads the body of an answer; of one that stays open the first line, or the first event.
func begin(answer *http.Response) (string, error) {
	end := ""
	switch answer.Header.Get("Content-Type") {
	case "text/event-stream":
		end = "\n\n"
	case "text/plain": // of GET /running; the probes' has a charset
		end = "\n"
	}
	if end == "" || answer.Request.Method == http.MethodHead {
		b, err := io.ReadAll(answer.Body)
		return string(b), err
	}
	var body strings.Builder
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		body.WriteString(line)
		if err != nil {
			return "", fmt.Errorf("read %q: %w", body.String(), err)
		}
		event := end == "\n" || strings.Contains(body.String(), "data: ")
		if event && strings.HasSuffix(body.String(), end) {
			return body.String(), nil
		}
	}
}

// book collects exchanges.
type book struct {
	t   *testing.T
	all []exchange
}

// ask sends a request over a connection of its own.
func (b *book) ask(r *harness.Local, q request) exchange {
	b.t.Helper()
	conn := dial(b.t, r, q.server)
	defer func() { _ = conn.Close() }()
	return q.send(b.t, conn)
}

// want sends a request and has its answer be of that status.
func (b *book) want(r *harness.Local, status int, q request) {
	b.t.Helper()
	e := b.ask(r, q)
	if e.status != status {
		b.t.Fatalf("%v, want %d", e, status)
	}
	b.all = append(b.all, e)
}

// await sends a request until its answer is of that status.
func (b *book) await(r *harness.Local, status int, q request) {
	b.t.Helper()
	var e exchange
	if !harness.Within(patience, 20*time.Millisecond, func() bool {
		e = b.ask(r, q)
		return e.status == status
	}) {
		b.t.Fatalf("%v, want %d", e, status)
	}
	b.all = append(b.all, e)
}
