//go:build linux

package fencing

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// patience bounds every wait for what happens by itself.
const patience = time.Minute

// servers are the real programs, each with its data in a directory of the test, reached by unix sockets or the loopback.
type servers struct {
	root     string // for the test's files
	postgres string // the directory of its socket
	redis    string // its socket
	s3       string // its URL
}

// start starts those of the servers that a test needs.
func start(t *testing.T, which ...func(*servers, *testing.T)) *servers {
	t.Helper()
	s := &servers{root: harness.LocalRoot(t)}
	for _, of := range which {
		of(s, t)
	}
	return s
}

// sqlBinaries is where Debian keeps PostgreSQL's programs.
const sqlBinaries = "/usr/lib/postgresql/*/bin"

// startPostgres makes a database cluster and runs it. PostgreSQL refuses root; nobody runs it then.
func (s *servers) startPostgres(t *testing.T) {
	t.Helper()
	found, err := filepath.Glob(sqlBinaries)
	if err != nil || len(found) == 0 {
		t.Fatalf("find PostgreSQL's programs in %s: %v: run .ci/prerequisites", sqlBinaries, err)
	}
	dir, err := os.MkdirTemp("", "ls") // not below root, which is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := []string{"--pdeathsig=KILL"} // the change of the user would clear it
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		as = append(as, "--reuid="+nobody.Uid, "--regid="+nobody.Gid, "--clear-groups")
	}
	program := func(name string, args ...string) []string {
		return slices.Concat(as, []string{"env", "--chdir=" + dir, filepath.Join(found[len(found)-1], name), "-D", filepath.Join(dir, "data")}, args)
	}
	out, status := harness.RunCommand(t, "setpriv", program("initdb", "--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync")...)
	if status != 0 {
		t.Fatalf("initdb: status %d\n%s", status, out)
	}
	server := harness.Launch(t, "postgres", filepath.Join(s.root, "postgres.log"), "/usr/bin/setpriv",
		program("postgres", "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir, "-c", "fsync=off"), os.Environ())
	t.Cleanup(func() { // a kill would leave its children a moment longer, which still write below dir
		_ = server.Signal(syscall.SIGINT)
		select {
		case <-server.Exited():
		case <-time.After(10 * time.Second):
		}
	})
	s.postgres = dir
	harness.Eventually(t, patience, "PostgreSQL answers", func() bool {
		_, status := harness.RunCommandWith(t, s.database("postgres"), "psql", "-X", "-c", "SELECT 1")
		return status == 0 || !server.Alive()
	})
	if !server.Alive() {
		t.Fatalf("PostgreSQL has ended:\n%s", server.Log())
	}
}

// database is the environment of a client of that database.
func (s *servers) database(name string) []string {
	return []string{"PGHOST=" + s.postgres, "PGUSER=postgres", "PGDATABASE=" + name, "PGCONNECT_TIMEOUT=10"}
}

// newDatabase makes a database with that schema, and returns the environment of its clients.
func (s *servers) newDatabase(t *testing.T, name string, schema ...string) []string {
	t.Helper()
	s.sql(t, "postgres", "CREATE DATABASE "+name)
	for _, statement := range schema {
		s.sql(t, name, statement)
	}
	return s.database(name)
}

// sql runs statements in that database and returns what they print, without headings.
func (s *servers) sql(t *testing.T, database, statements string) string {
	t.Helper()
	out, status := harness.RunCommandWith(t, s.database(database), "psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements)
	if status != 0 {
		t.Fatalf("%s\nstatus %d: %s", statements, status, out)
	}
	return strings.TrimSpace(out)
}

func (s *servers) startRedis(t *testing.T) {
	t.Helper()
	s.redis = filepath.Join(s.root, "redis.sock")
	harness.Launch(t, "redis", filepath.Join(s.root, "redis.log"), "/usr/bin/redis-server",
		[]string{"--port", "0", "--unixsocket", s.redis, "--save", "", "--dir", s.root, "--daemonize", "no"}, os.Environ())
	harness.Eventually(t, patience, "Redis listens", func() bool {
		conn, err := net.Dial("unix", s.redis)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

// Access to the S3 server, and its one bucket.
const (
	s3Key    = "writer"
	s3Secret = "secret-of-the-writer"
	bucket   = "orders"
)

// startS3 runs versitygw over a directory. It checks signatures.
func (s *servers) startS3(t *testing.T) {
	t.Helper()
	dir := filepath.Join(s.root, "s3")
	for _, folder := range []string{"objects", "about"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := harness.FreeAddress(t)
	s.s3 = "http://" + address
	harness.Launch(t, "versitygw", filepath.Join(s.root, "s3.log"), harness.S3(t),
		[]string{"--port", address, "posix", "--sidecar", filepath.Join(dir, "about"), filepath.Join(dir, "objects")},
		append(os.Environ(), "ROOT_ACCESS_KEY="+s3Key, "ROOT_SECRET_KEY="+s3Secret))
	awaitHTTP(t, s.s3)
	if status, _, answer := s.askS3(t, "", "-X", "PUT"); status != http.StatusOK {
		t.Fatalf("make a bucket: %d %s", status, answer)
	}
}

// askS3 sends a signed request for an object of the bucket, "" for the bucket itself, and returns the status, the ETag and the body.
func (s *servers) askS3(t *testing.T, object string, args ...string) (status int, etag, body string) {
	t.Helper()
	out, code := harness.RunCommand(t, "curl", slices.Concat([]string{
		"--noproxy", "*", "--silent", "--show-error", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", s3Key + ":" + s3Secret,
		"--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--write-out", "\n%{http_code} %header{etag}", s.s3 + "/" + bucket + "/" + object,
	}, args)...)
	if code != 0 {
		t.Fatalf("curl: status %d\n%s", code, out)
	}
	end := strings.LastIndexByte(out, '\n')
	number, etag, _ := strings.Cut(out[end+1:], " ")
	if status, _ = strconv.Atoi(number); status == 0 {
		t.Fatalf("curl prints %q", out)
	}
	return status, etag, out[:end]
}

// startOrders runs the page's HTTP service, as that code has it, and returns its URL and the file of its data.
func (s *servers) startOrders(t *testing.T, name, code string) (url, file string) {
	t.Helper()
	script := filepath.Join(s.root, name+".py")
	if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(harness.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(s.root, name+".data")
	harness.Launch(t, name, filepath.Join(s.root, name+".log"), "/usr/bin/python3", []string{script, file, port}, os.Environ())
	url = fmt.Sprintf("http://127.0.0.1:%s/", port)
	awaitHTTP(t, url)
	return url, file
}

// awaitHTTP waits until a server answers at all.
func awaitHTTP(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	harness.Eventually(t, patience, url+" answers", func() bool {
		answer, err := client.Get(url)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	})
}
