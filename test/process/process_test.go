package process

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	news = []string{"--on-elected", "USR1", "--on-lost", "USR2"}
	park = []string{"--on-elected", "CONT", "--on-lost", "STOP"}
	end  = []string{"--on-elected", "USR1", "--on-lost", "TERM"}
)

const catchesNews = "on(signal.SIGUSR1); on(signal.SIGUSR2)"

// A handover on demand: the one is told that it has lost, then the other that it leads. The program is started anew
// in between, and told again.
func TestNewsOfAHandover(t *testing.T) {
	store := newStore(t)
	a := newPod(t, store, "a", catchesNews, append(news, "--drain-timeout", "1ms")...)
	a.hears("SIGUSR2")
	a.hears("SIGUSR1")
	b := newPod(t, store, "b", catchesNews, news...)
	b.hears("SIGUSR2")
	signal(t, b.app, syscall.SIGKILL)
	<-b.app.over
	b.startApp()
	b.hears("SIGUSR2")
	a.stepDown(store)
	b.hears("SIGUSR1")
	if got := strings.Count(a.app.text(), "SIGUSR2"); got != 2 {
		t.Errorf("the last leader was told %d times that it does not lead; want twice", got)
	}
}

// The program's crash hands over at once: long before the Lease's end.
func TestCrashHandsOver(t *testing.T) {
	store := newStore(t)
	a := newPod(t, store, "a", catchesNews, news...)
	a.hears("SIGUSR1")
	b := newPod(t, store, "b", catchesNews, news...)
	b.hears("SIGUSR2")
	signal(t, a.app, syscall.SIGKILL)
	began := time.Now()
	b.hears("SIGUSR1")
	// A Lease that runs out does so two seconds after the crash at the earliest.
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("%s from the crash to the next leader", took)
	}
	within(t, 5*time.Second, "the cause is said", func() bool {
		return strings.Contains(a.sidecar.text(), "the process has ended") && strings.Contains(a.sidecar.text(), "handing over")
	})
}

// The guard's word is the sidecar's: a killed sidecar's workload is stopped within a second.
func TestKilledSidecar(t *testing.T) {
	store := newStore(t)
	a := newPod(t, store, "a", "", park...)
	within(t, 5*time.Second, "a stands by, parked", a.app.parked)
	within(t, 15*time.Second, "a leads", func() bool { return !a.app.parked() })
	signal(t, a.sidecar, syscall.SIGKILL)
	within(t, time.Second, "a is parked", a.app.parked)
}

// A frozen sidecar's workload is stopped by the guard before another replica leads.
func TestFrozenSidecar(t *testing.T) {
	store := newStore(t)
	a := newPod(t, store, "a", "", park...)
	within(t, 5*time.Second, "a stands by, parked", a.app.parked)
	within(t, 15*time.Second, "a leads", func() bool { return !a.app.parked() })
	b := newPod(t, store, "b", "", park...)
	within(t, 5*time.Second, "b stands by, parked", b.app.parked)
	signal(t, a.sidecar, syscall.SIGSTOP)
	within(t, 15*time.Second, "b leads", func() bool { return !b.app.parked() })
	if !a.app.parked() {
		t.Error("the next leader works while the frozen sidecar's workload does")
	}
	signal(t, a.sidecar, syscall.SIGCONT)
	time.Sleep(500 * time.Millisecond)
	if !a.app.parked() || b.app.parked() {
		t.Error("the sidecar that woke let its workload go on")
	}
}

// The Lease is released once the process has been seen to end, and not before; with classic placement, too, where
// nothing but sight can tell.
func TestEndIsSeen(t *testing.T) {
	for _, placement := range []string{"native", "classic"} {
		t.Run(placement, func(t *testing.T) {
			store := newStore(t)
			slow := "on(signal.SIGUSR1)\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), os._exit(0)))"
			a := newPod(t, store, "a", slow, append(end, "--placement", placement)...)
			a.startAppOnceLeading()
			b := newPod(t, store, "b", "on(signal.SIGUSR1)", end...) // it ends at SIGTERM
			<-b.app.over
			signal(t, a.sidecar, syscall.SIGTERM)
			b.startAppOnceLeading()
			if !a.app.ended() {
				t.Error("the next leader works while the last one's process does")
			}
			<-a.sidecar.over
			if got := a.sidecar.text(); !strings.Contains(got, `because="it was seen to stop (process)`) {
				t.Error("the handover did not wait for sight of the end")
			}
		})
	}
}

// A process that does not end is killed before another replica leads.
func TestFence(t *testing.T) {
	store := newStore(t)
	stubborn := "on(signal.SIGUSR1)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
	a := newPod(t, store, "a", stubborn, append(end, "--fence", "kill", "--stop-timeout", "3s")...)
	a.startAppOnceLeading()
	b := newPod(t, store, "b", "on(signal.SIGUSR1)", end...) // it ends at SIGTERM
	<-b.app.over
	a.stepDown(store)
	b.startAppOnceLeading()
	if !a.app.ended() {
		t.Error("the next leader works while the last one's process does")
	}
}
