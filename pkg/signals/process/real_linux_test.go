package process

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// The programs here are Debian's own. They run under names of their own, as others may run them on this machine.

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// nginx runs stock nginx with two workers; it prints its error log, where it notes every signal.
func nginx(t *testing.T, name string) *app {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, name)
	copyTool(t, tool(t, "/usr/sbin/nginx"), binary)
	config := fmt.Sprintf(`daemon off; worker_processes 2; pid %[1]s/nginx.pid; error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  server { listen 127.0.0.1:%[2]d; }
}
`, dir, freePort(t))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the workers are another user
		t.Fatal(err)
	}
	a := start(t, exec.Command(binary, "-e", "stderr", "-p", dir, "-c", file))
	a.says(t, "start worker process ")
	a.says(t, "start worker process ")
	return a
}

// Of nginx's processes, all of one name, the master gets the signals; restarted, it gets them again.
func TestNginx(t *testing.T) {
	name := unique(t)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: hup, OnLost: usr1})
	r.looking()
	r.lose()
	a := nginx(t, name)
	a.says(t, "(SIGUSR1) received from")
	r.lead("1", time.Minute)
	a.says(t, "(SIGHUP) received from")
	a.says(t, "reconfiguring")
	if err := syscall.Kill(a.pid(), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-a.over
	<-r.crashes
	b := nginx(t, name)
	b.says(t, "(SIGHUP) received from")
	r.lose()
	b.says(t, "(SIGUSR1) received from")
	b.says(t, "reopening logs")
	if strings.Contains(r.log.String(), "LossEndsProcess") {
		t.Errorf("two signals that nginx lives on with, and the log warns:\n%s", r.log)
	}
}

// A stop for the loss ends the process of a standby at once, and nothing here starts it again: the log says so before it happens, and
// the sidecar goes on, as a supervisor may start the process anew.
func TestLossThatEndsIsWarnedOf(t *testing.T) {
	name := unique(t)
	a := nginx(t, name)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: hup, OnLost: quit})
	r.looking()
	r.within(5*time.Second, "it warns", func() bool { return strings.Contains(r.log.String(), "reason=LossEndsProcess") })
	if state(t, a.pid()).Over() {
		t.Error("nginx was ended before anything was known")
	}
	r.lose()
	<-a.over
	r.lead("1", time.Minute)
	b := nginx(t, name) // as a supervisor does
	b.says(t, "(SIGHUP) received from")
}

// Ended on its loss, nginx counts as stopped only once its workers have ended, too.
func TestNginxEnds(t *testing.T) {
	name := unique(t)
	a := nginx(t, name)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: hup, OnLost: quit, Fence: true, KillMargin: 3 * time.Second})
	r.lead("1", time.Minute)
	r.lose()
	a.says(t, "(SIGQUIT) received from")
	if err := r.stopsWithin(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	all, err := procfs.Read()
	if err != nil {
		t.Fatal(err)
	}
	if _, left, _ := (Target{Name: name}).find(all); len(left) != 0 {
		t.Errorf("%v work on", left)
	}
}

// redis runs a stock redis-server.
func redis(t *testing.T, name string, port int) *app {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, name)
	copyTool(t, tool(t, "/usr/bin/redis-server"), binary)
	a := start(t, exec.Command(binary, "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--save", "", "--dir", dir,
		"--pidfile", filepath.Join(dir, "redis.pid"), "--daemonize", "no"))
	a.says(t, "Ready to accept connections")
	return a
}

// answers reports whether redis answers a PING.
func answers(port int) bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "+PONG")
}

// redis knows of no leadership; parked, it answers only while its replica leads.
func TestRedisParks(t *testing.T) {
	name, port := unique(t), freePort(t)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: cont, OnLost: stop})
	r.looking()
	r.lose()
	a := redis(t, name, port)
	r.within(5*time.Second, "the standby is parked", func() bool { return state(t, a.pid()).Stopped() })
	if answers(port) {
		t.Error("it answers, parked")
	}
	r.lead("1", time.Minute)
	r.within(5*time.Second, "the leader answers", func() bool { return answers(port) })
	r.sees("leading", sight.Running, sight.Running)
	a.end()
	<-r.crashes
	b := redis(t, name, port)
	r.within(5*time.Second, "restarted, it answers", func() bool { return answers(port) })
	r.lose()
	if err := r.stopsWithin(time.Second); err != nil {
		t.Error(err)
	}
	r.sees("parked", sight.Stopped, sight.Stopped)
	if answers(port) || !state(t, b.pid()).Stopped() {
		t.Error("it answers after the loss")
	}
}

// redis ignores HUP and does not catch USR1: neither would do anything.
func TestRedisRefusesNews(t *testing.T) {
	name := unique(t)
	a := redis(t, name, freePort(t))
	wantText(t, refused(t, Config{Target: Target{Name: name}, OnElected: hup}), "ignores SIGHUP")
	wantText(t, refused(t, Config{Target: Target{Name: name}, OnElected: usr1}), "does not catch SIGUSR1")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term}) // it catches that, and ends
	r.lead("1", time.Minute)
	r.lose()
	a.says(t, "Received SIGTERM")
	if err := r.stopsWithin(5 * time.Second); err != nil {
		t.Error(err)
	}
}
