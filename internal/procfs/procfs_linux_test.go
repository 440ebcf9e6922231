package procfs

import (
	"os"
	"os/exec"
	"testing"
)

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
		for pid := range family {
			if all[pid].Parent == child.Process.Pid {
				grandchild = pid
			}
		}
		if grandchild == 0 || all[grandchild].Comm != "sleep" {
			continue // the shell has not started it yet
		}
		if line := all.Ancestors(grandchild); !line[self] || !line[child.Process.Pid] || !line[1] {
			t.Errorf("the ancestors of %d are %v", grandchild, line)
		}
		other, err := ReadProcess(grandchild)
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
	for name, tc := range map[string]struct {
		stat string
		want Process
		bad  bool
	}{
		"a name with brackets": {stat: "7 (a) (b c)) S" + rest + "3 0 99 0", want: Process{PID: 7, Parent: 4, Start: 99, Comm: "a) (b c)"}},
		"a zombie":             {stat: "7 (a) Z" + rest + "1 0 99 0", want: Process{PID: 7, Parent: 4, Start: 99, Comm: "a", Over: true}},
		"its first thread":     {stat: "7 (a) Z" + rest + "2 0 99 0", want: Process{PID: 7, Parent: 4, Start: 99, Comm: "a"}},
		"cut":                  {stat: "7 (a) S 4 1", bad: true},
		"no name":              {stat: "7 a S" + rest, bad: true},
		"letters":              {stat: "7 (a) S x 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 99 0", bad: true},
		"nothing":              {bad: true},
	} {
		if got, err := parse(7, []byte(tc.stat)); got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
