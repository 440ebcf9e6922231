package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// A process that starts a worker once it is told that it leads, and crashes soon after, leaves work behind that is nobody's:
// it is seen to run, in a handover too, also where a new process has come that would live on as a standby.
func TestWorkersOfACrashRun(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	// The worker bears another name, so that nothing but its descent tells whose it is.
	body := `
def hire(*_):
    while not os.path.exists('` + dir + `/go'): time.sleep(0.01)
    if os.fork() == 0:
        os.setsid(); os.close(1); os.close(2)
        open('/proc/self/comm', 'w').write('worker')
        open('` + dir + `/worker', 'w').write(str(os.getpid()) + '\n')
        for _ in range(3000): time.sleep(0.01)
        os._exit(0)
signal.signal(signal.SIGUSR1, hire); on(signal.SIGUSR2)`
	pidFile := filepath.Join(dir, "pid")
	write := func(pid int) {
		if err := os.WriteFile(pidFile, fmt.Appendln(nil, pid), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := python(t, name, body)
	write(a.pid())
	r := newRig(t, Config{Target: Target{PIDFile: pidFile}, OnElected: usr1, OnLost: usr2})
	r.lead("1", time.Minute)
	turned := r.turned
	r.looking()
	<-turned // it has looked once, before there is a worker
	touch(t, dir, "go")
	worker := r.worker(filepath.Join(dir, "worker"))
	time.Sleep(4 * lookSoon) // less than a look of an idle process takes to come
	a.end()
	r.within(10*time.Second, "the crash is seen", func() bool { return len(r.crashes) > 0 })
	r.sees("crashed while it led", sight.Running, sight.Running)
	r.hold(time.Minute)
	r.sees("in the handover", sight.Running, sight.Running)
	b := python(t, name, body)
	write(b.pid())
	b.says(t, "SIGUSR2")
	r.sees("a new process stands by", sight.Running, sight.Running)
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "the worker's end is seen", func() bool { return r.State(false) == sight.Stopped })
}
