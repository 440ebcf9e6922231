package procfs

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// TestReadLetsOthersRun has another goroutine ready whenever the table is read on one processor. It must have run before the table
// is there: a signal of the sidecar may be what waits. Without a yield it mostly runs, too, while a system call takes long, but not always.
func TestReadLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 200 {
		ran := make(chan struct{})
		go close(ran)
		if _, err := Read(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ran:
		default:
			t.Fatal("the other goroutine has not run while /proc was read")
		}
	}
}

func TestReadAndKin(t *testing.T) {
	child := exec.Command("sh", "-c", "sleep 60 & wait")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	self := os.Getpid()
	for {
		all, err := Read()
		if err != nil {
			t.Fatal(err)
		}
		family := all.Family(self)
		grandchild := 0
		for _, p := range family {
			if p.Parent == child.Process.Pid {
				grandchild = p.PID
			}
		}
		if grandchild == 0 || all[grandchild].Comm != "sleep" {
			continue // the shell has not started it yet
		}
		if line := all.Ancestors(grandchild); !line[self] || !line[child.Process.Pid] || !line[1] {
			t.Errorf("the ancestors of %d are %v", grandchild, line)
		}
		other, err := ReadProcess(grandchild)
		other.State = all[grandchild].State // it may have been running then
		if err != nil || other != all[grandchild] {
			t.Errorf("got %+v, %v; want %+v", other, err, all[grandchild])
		}
		p, _ := os.FindProcess(grandchild)
		_ = p.Kill()
		return
	}
}

func TestParse(t *testing.T) {
	const rest = " 4 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 "
	is := func(comm string, state byte, threads int) Process {
		return Process{ID: ID{PID: 7, Start: 99}, Parent: 4, State: state, Threads: threads, Comm: comm}
	}
	for name, tc := range map[string]struct {
		stat string
		want Process
		over bool
	}{
		"plain":                  {stat: "7 (sh) S" + rest + "1 0 99 0", want: is("sh", 'S', 1)},
		"a name with brackets":   {stat: "7 (a) (b c)) S" + rest + "3 0 99 0", want: is("a) (b c)", 'S', 3)},
		"a name like a stat":     {stat: "7 (a) R 1 (b)) S" + rest + "3 0 99 0", want: is("a) R 1 (b)", 'S', 3)},
		"a name with a new line": {stat: "7 (a\nb) S" + rest + "3 0 99 0", want: is("a\nb", 'S', 3)},
		"a zombie":               {stat: "7 (a) Z" + rest + "1 0 99 0", want: is("a", 'Z', 1), over: true},
		"its first thread":       {stat: "7 (a) Z" + rest + "2 0 99 0", want: is("a", 'Z', 2)},
		"cut":                    {stat: "7 (a) S 4 1"},
		"no name":                {stat: "7 a S" + rest},
		"letters":                {stat: "7 (a) S x 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 99 0"},
		"nothing":                {},
	} {
		got, err := parse(7, []byte(tc.stat))
		if got != tc.want || (err == nil) != (tc.want.PID != 0) || got.Over() != tc.over {
			t.Errorf("%s: got %+v, over %v, %v", name, got, got.Over(), err)
		}
	}
}

func TestFamilies(t *testing.T) {
	all := Table{}
	for pid, parent := range map[int]int{2: 1, 3: 2, 4: 3, 5: 1, 6: 5} {
		all[pid] = Process{ID: ID{PID: pid, Start: uint64(pid)}, Parent: parent}
	}
	pids := func(found []Process) (pids []int) {
		for _, p := range found {
			pids = append(pids, p.PID)
		}
		return pids
	}
	if got := pids(all.Families(ID{PID: 5, Start: 5}, ID{PID: 3, Start: 3})); !slices.Equal(got[:2], []int{5, 3}) || len(got) != 4 {
		t.Errorf("got %v; want 5 and 3, then 6 and 4", got)
	}
	if got := pids(all.Families(ID{PID: 2, Start: 9}, ID{PID: 7})); got != nil {
		t.Errorf("got %v; want nobody: one pid is another's, one is nobody's", got)
	}
	if got := pids(all.Families(ID{PID: 2, Start: 2}, ID{PID: 4, Start: 4})); !slices.Equal(got, []int{2, 4, 3}) {
		t.Errorf("got %v; want each once", got)
	}
	if got := pids(all.Family(2)); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("got %v; want 2, 3, 4", got)
	}
}

// A handle is not another process's that has its pid, and sees the end.
func TestHandle(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = child.Process.Kill(), child.Wait() })
	p, err := ReadProcess(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.Start++
	if h, err := Open(other); !errors.Is(err, ErrOver) {
		t.Errorf("got %v, %v; want %v", h, err, ErrOver)
	}
	if err := Send(other.ID, syscall.SIGKILL); !errors.Is(err, ErrOver) {
		t.Errorf("got %v; want %v", err, ErrOver)
	}
	h, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Send(0); err != nil || h.Ended() {
		t.Errorf("it lives: got %v, ended %v", err, h.Ended())
	}
	if err := h.Send(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-h.Exited()
	if zombies, err := Zombies(os.Getpid()); err != nil || !slices.Contains(zombies, p.ID) {
		t.Errorf("the zombies are %v, %v; want %v among them", zombies, err, p.ID)
	}
	_ = child.Wait()
	if err := h.Send(syscall.SIGTERM); !errors.Is(err, ErrOver) || !h.Ended() {
		t.Errorf("after its end: got %v, ended %v", err, h.Ended())
	}
}
