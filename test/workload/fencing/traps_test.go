//go:build linux

package fencing

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestMetadataIsNotInTheETag shows why the token stands in the object: a claim in the metadata leaves the ETag as it was, and a late
// write on the condition of the old ETag lands.
func TestMetadataIsNotInTheETag(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startS3)
	put := func(token, condition, content string) (status int, etag string) {
		status, etag, _ = s.askS3(t, "trap", "--request", "PUT", "--header", "x-amz-meta-token: "+token, "--header", condition, "--data-binary", content)
		return status, etag
	}
	status, first := put("7", "If-None-Match: *", "first")
	if status != http.StatusOK || first == "" {
		t.Fatalf("create it: %d, ETag %q", status, first)
	}
	status, claimed := put("8", "If-Match: "+first, "first")
	if status != http.StatusOK || claimed != first {
		t.Fatalf("claim it: %d, ETag %s; want 200, and %s as before", status, claimed, first)
	}
	if status, _ := put("7", "If-Match: "+first, "late"); status != http.StatusOK {
		t.Errorf("the late write: %d; want 200, the trap", status)
	}
	if _, _, content := s.askS3(t, "trap"); content != "late" {
		t.Errorf("%q is there; want what was late", content)
	}
	if status, _ := put("9", "If-Match: "+first, "later"); status != http.StatusPreconditionFailed {
		t.Errorf("on the ETag of other content: %d; want 412", status)
	}
}

// TestRowsAreFreedByHand lets the writers of a new cluster, whose tokens are lower, in again.
func TestRowsAreFreedByHand(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres)
	r := s.lockRow(t, "moved", guard{})
	r.mustRun(t, r.write, "48213", "old cluster")
	if out, accepted := r.run(t, r.write, "7", "new cluster"); accepted {
		t.Fatalf("a lower token is let in:\n%s", out)
	}
	s.sql(t, "moved", block(t, "reset.sql"))
	r.mustRun(t, r.write, "7", "new cluster")
	if got := r.value(t); got != "new cluster" {
		t.Errorf("%q is there; want what was written after the reset", got)
	}
}

// TestTheServiceRemembers has the page's HTTP service refuse an older token after it was started again, and ask for one.
func TestTheServiceRemembers(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.service(t, "kept", guard{})
	r.mustRun(t, r.write, "10", "kept")
	url, _ := s.startOrders(t, "kept-service", block(t, "orders.py"))
	r.env = []string{"URL=" + url}
	if out, accepted := r.run(t, r.write, "9", "late"); accepted || !strings.Contains(out, "412") || !strings.Contains(out, "token 10 has been seen") {
		t.Errorf("an older token is accepted: %t; want false and 412\n%s", accepted, out)
	}
	without := replace(t, r.write, ` --header "Leader-Token: $TOKEN"`, "")
	if out, accepted := r.run(t, without, "", "late"); accepted || !strings.Contains(out, "428") {
		t.Errorf("without a token it is accepted: %t; want false and 428\n%s", accepted, out)
	}
	half(t, url)
	if got := r.value(t); got != "kept" {
		t.Errorf("%q is there; want what was kept", got)
	}
}

// half sends half a request to the service and closes the connection for writing; it returns when the service has closed it, too.
func half(t *testing.T, url string) {
	t.Helper()
	address := strings.Trim(strings.TrimPrefix(url, "http:"), "/")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "PUT / HTTP/1.1\r\nHost: %s\r\nLeader-Token: 11\r\nContent-Length: 20\r\n\r\nhalf a doc", address)
	if err == nil {
		err = conn.(*net.TCPConn).CloseWrite()
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
		t.Errorf("half a request is answered by %q, %v; want nothing", answer, err)
	}
}

// TestObjectsWithoutATokenAreLeftAlone has the page's script write neither over an object that has no token, nor where the store gives no
// ETag: curl leaves out a condition that is empty, and such a write would be one without it.
func TestObjectsWithoutATokenAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startS3)
	r := s.object(t, "foreign", guard{})
	if status, _, answer := s.askS3(t, "foreign", "--request", "PUT", "--data-binary", "somebody's\nnotes"); status != http.StatusOK {
		t.Fatalf("PUT: %d %s", status, answer)
	}
	if out, accepted := r.run(t, r.write, "7", "late"); accepted || !strings.Contains(out, "no token in the first line") {
		t.Errorf("an object without a token is written: %t; want false\n%s", accepted, out)
	}
	if got := r.value(t); got != "notes" {
		t.Errorf("%q is there; want what was there", got)
	}
	var puts atomic.Int32
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
		}
		_, _ = io.WriteString(w, "5\nfirst")
	}))
	defer store.Close()
	r.env[0] = "URL=" + store.URL
	if out, accepted := r.run(t, r.write, "7", "late"); accepted || puts.Load() > 0 {
		t.Errorf("without an ETag it is written: %t, by %d requests; want false, 0\n%s", accepted, puts.Load(), out)
	}
}

// TestOtherTypesAreWrong shows what tokens do to the types that the page advises against.
func TestOtherTypesAreWrong(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres, (*servers).startRedis)
	for expression, want := range map[string]string{
		"'9'::numeric < '10'::numeric":                                                "t",
		"'9'::text < '10'::text":                                                      "f",
		"'9007199254740992'::numeric < '9007199254740993'::numeric":                   "t",
		"'9007199254740992'::double precision < '9007199254740993'::double precision": "f",
	} {
		if got := s.sql(t, "postgres", "SELECT "+expression); got != want {
			t.Errorf("PostgreSQL: %s is %s, want %s", expression, got, want)
		}
	}
	out, status := harness.RunCommandWith(t, s.database("postgres"), "psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", "SELECT '9223372036854775808'::bigint")
	if status == 0 || !strings.Contains(out, "out of range") {
		t.Errorf("PostgreSQL: a token beyond bigint: status %d, %q; want an error", status, out)
	}
	const doubles = "return tostring(tonumber('9007199254740992') == tonumber('9007199254740993'))"
	if out, _ := harness.RunCommand(t, "redis-cli", "-s", s.redis, "-e", "EVAL", doubles, "0"); strings.TrimSpace(out) != "true" {
		t.Errorf("Lua: %s: %q, want true", doubles, out)
	}
}
