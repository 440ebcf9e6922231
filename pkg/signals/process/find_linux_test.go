package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// far is above every pid that Linux gives out, so that /proc knows nothing of the processes made up below.
const far = 1 << 23

func tableOf(processes ...procfs.Process) procfs.Table {
	all := procfs.Table{}
	for _, p := range processes {
		p.PID, p.Parent = p.PID+far, p.Parent+far
		all[p.PID] = p
	}
	return all
}

func process(pid, parent int, comm string) procfs.Process {
	return procfs.Process{ID: procfs.ID{PID: pid}, Parent: parent, Comm: comm}
}

func TestFindByName(t *testing.T) {
	for name, tc := range map[string]struct {
		name string
		all  procfs.Table
		want int // 0: none, -1: several
	}{
		"the only one":       {"web", tableOf(process(1, 0, "sh"), process(2, 1, "web")), 2},
		"none":               {"web", tableOf(process(1, 0, "webb")), 0},
		"a master":           {"web", tableOf(process(2, 1, "web"), process(3, 2, "web"), process(4, 2, "web")), 2},
		"two masters":        {"web", tableOf(process(2, 1, "web"), process(3, 1, "web")), -1},
		"a grandchild":       {"web", tableOf(process(2, 0, "web"), process(3, 2, "sh"), process(4, 3, "web")), -1},
		"a name that is cut": {"long-winded-server", tableOf(process(2, 0, "long-winded-ser")), 2},
		"only begins alike":  {"long-winded-ser", tableOf(process(2, 0, "long-winded-se")), 0},
	} {
		t.Run(name, func(t *testing.T) {
			found, _, err := Target{Name: tc.name}.find(tc.all)
			switch {
			case tc.want > 0 && (err != nil || found.PID != tc.want+far):
				t.Errorf("got %v, %v; want process %d", found, err, tc.want)
			case tc.want == 0 && !errors.Is(err, errNone):
				t.Errorf("got %v, %v; want none", found, err)
			case tc.want < 0 && (err == nil || !strings.Contains(err.Error(), "2 processes")):
				t.Errorf("got %v, %v; want a refusal of several", found, err)
			}
		})
	}
}

// A comm that is cut may be another program's, which its argv[0] shows.
func TestLongNamesAreComparedWhole(t *testing.T) {
	a := python(t, "long-winded-server-a", "open('/proc/self/comm','w').write('long-winded-ser')")
	e := state(t, a.pid())
	if e.Comm != "long-winded-ser" {
		t.Fatalf("its comm is %q", e.Comm)
	}
	if !(Target{Name: "long-winded-server-a"}).matches(e) || (Target{Name: "long-winded-server-b"}).matches(e) {
		t.Error("one program was taken for another that begins alike")
	}
}

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	link, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.Symlink(put("good", "42\n"), link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file string
		want int // 0: none yet
		err  string
	}{
		"a pid":             {file: filepath.Join(dir, "good"), want: 42},
		"no newline":        {file: put("bare", "42"), want: 42},
		"more lines":        {file: put("more", "42\n/var/lib\n1700000000\n"), want: 42},
		"longer than a pid": {file: put("long", "42\n"+strings.Repeat("x", 1<<20)), want: 42},
		"missing":           {file: filepath.Join(dir, "missing")},
		"empty":             {file: put("empty", "\n")},
		"a name":            {file: put("name", "nginx"), err: "want a pid in decimal"},
		"a group":           {file: put("group", "-42"), err: "want a pid"},
		"zero":              {file: put("zero", "0"), err: "want a pid"},
		"hexadecimal":       {file: put("hex", "0x2a"), err: "want a pid"},
		"too large":         {file: put("large", "99999999999"), err: "want a pid"},
		"a link":            {file: link, err: "is a link"},
		"a pipe":            {file: pipe, err: "not a regular file"},
		"a folder":          {file: dir, err: "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			pid, err := readPIDFile(tc.file)
			switch {
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("got %d, %v; want %q", pid, err, tc.err)
			case tc.err == "" && tc.want == 0 && !errors.Is(err, errNone):
				t.Errorf("got %d, %v; want none", pid, err)
			case tc.want != 0 && (err != nil || pid != tc.want):
				t.Errorf("got %d, %v; want %d", pid, err, tc.want)
			}
		})
	}
}

// The pid file's process must bear the name where both are given; a pid that is nobody's waits.
func TestPIDFileWithName(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	all, err := procfs.Read()
	if err != nil {
		t.Fatal(err)
	}
	file := writePID(t, a.pid())
	if found, _, err := (Target{Name: name, PIDFile: file}).find(all); err != nil || found.PID != a.pid() {
		t.Errorf("got %v, %v; want %d", found, err, a.pid())
	}
	if _, _, err := (Target{Name: "other", PIDFile: file}).find(all); err == nil || !strings.Contains(err.Error(), `is not named "other"`) {
		t.Errorf("got %v; want a refusal", err)
	}
	if _, _, err := (Target{PIDFile: writePID(t, far)}).find(all); !errors.Is(err, errNone) {
		t.Errorf("got %v; want none", err)
	}
}

// The pid file is read again: the process that it names then gets the signals.
func TestPIDFileThatMovesOn(t *testing.T) {
	a, b := python(t, unique(t), catchesUsr), python(t, unique(t), catchesUsr)
	file := writePID(t, a.pid())
	r := newRig(t, Config{Target: Target{PIDFile: file}, OnElected: usr1, OnLost: usr2})
	r.looking()
	r.lose()
	a.says(t, "SIGUSR2")
	moved := writePID(t, b.pid())
	if err := os.Rename(moved, file); err != nil {
		t.Fatal(err)
	}
	r.within(3*lookMax, "the other process is looked for", func() bool { return strings.Count(r.log.String(), "found the process") == 2 })
	b.says(t, "SIGUSR2")
	r.lead("1", 1<<40)
	b.says(t, "SIGUSR1")
	if len(a.lines) != 0 {
		t.Errorf("the other got %s", <-a.lines)
	}
}
