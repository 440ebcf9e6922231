package journal

import (
	"os"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// TestLives knows this process, another one that has the pid of a dead one by now, and nobody.
func TestLives(t *testing.T) {
	now := bootclock.System{}.Now()
	for name, tc := range map[string]struct {
		p    Process
		want bool
	}{
		"this process":                       {Process{PID: os.Getpid(), Born: now}, true},
		"a process from before, of that pid": {Process{PID: os.Getpid(), Born: 1}, false},
		"nobody":                             {Process{PID: 1 << 30, Born: now}, false},
	} {
		if got := tc.p.Lives(); got != tc.want {
			t.Errorf("%s lives: %v, want %v", name, got, tc.want)
		}
	}
}

// TestJournal writes down two spells, the second without an end, and reads them again.
func TestJournal(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(tokenEnv, "4711")
	before := bootclock.System{}.Now()
	w, err := Create(folder, Command)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for range 3 {
			if _, err := w.Mark(); err != nil {
				t.Fatal(err)
			}
		}
		if w.line == 0 {
			if err := w.Rest(); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := Read(folder)
	if err != nil || len(all) != 1 || all[0].PID != os.Getpid() || all[0].Kind != Command {
		t.Fatalf("%+v, %v; want this process's journal alone", all, err)
	}
	spells := all[0].Spells()
	if len(spells) != 2 || !spells[0].Rested || spells[1].Rested || spells[0].Woken || !spells[1].Woken {
		t.Fatalf("%+v; want a spell that ended, and one that goes on", spells)
	}
	if s := spells[0]; s.Token != "4711" || s.From.Before(before) || !s.From.Before(s.To) || spells[1].From.Before(s.To) {
		t.Errorf("%+v; want token 4711, and instants after %d in their order", spells, before)
	}
}
