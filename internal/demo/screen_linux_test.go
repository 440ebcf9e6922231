package demo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"

	"github.com/lease-sidecar/lease-sidecar/internal/transcripttest"
)

// scene is a part of a run: from then on this is seen of the replicas.
type scene struct {
	from   time.Duration
	step   string // announced, if any
	move   *move  // that has happened, if any
	sights [3]sight
}

// aRun is how a run may go.
func aRun() []scene {
	stands, gone, down := sight{condition: running}, sight{condition: stopped}, sight{condition: killed, work: workReport{Units: 449}}
	leads := func(token string) sight {
		return sight{leads: true, token: token, left: 1700 * time.Millisecond, work: workReport{Working: true, Units: 1012}, condition: running}
	}
	stale := leads("10")
	stale.condition = killed
	const ms = time.Millisecond
	return []scene{
		{0, firstStep, nil, [3]sight{stands, stands, stands}},
		{3100 * ms, "", &move{"election", "-", "toy-a", 3100 * ms, 3100 * ms, "a new Lease is free after 3 s"}, [3]sight{leads("2"), stands, stands}},
		{5 * time.Second, "toy-a is asked to step down", nil, [3]sight{leads("2"), stands, stands}},
		{5012 * ms, "", &move{"step-down", "toy-a", "toy-b", 12 * ms, 9 * ms, "handed over on request"}, [3]sight{stands, leads("9"), stands}},
		{6200 * ms, "toy-b gets SIGTERM, as in a rollout", &move{"SIGTERM", "toy-b", "toy-c", 14 * ms, 11 * ms, "handed over, as in a rollout"}, [3]sight{stands, gone, leads("10")}},
		{6700 * ms, "", nil, [3]sight{stands, stands, leads("10")}},
		{7500 * ms, "the sidecar of toy-c gets SIGKILL", nil, [3]sight{stands, stands, stale}},
		{9250 * ms, "", nil, [3]sight{stands, stands, down}},
		{10300 * ms, "", &move{"SIGKILL", "toy-c", "toy-a", 2800 * ms, 1020 * ms, "workload stopped by its deadline"}, [3]sight{leads("12"), stands, down}},
		{10700 * ms, "", nil, [3]sight{leads("12"), stands, stands}},
		{13 * time.Second, "", &move{"SIGSTOP", "toy-a", "toy-b", 2820 * ms, 1040 * ms, "old leader woke as a standby"}, [3]sight{stands, leads("14"), stands}},
	}
}

// A run on terminals of several sizes: what the terminal shows is the picture, row by row, and nothing else.
func TestScreen(t *testing.T) {
	transcripttest.Run(t, func(t *testing.T, _ string) string {
		var columns, rows int
		if _, err := fmt.Sscanf(filepath.Base(t.Name()), "%dx%d", &columns, &rows); err != nil {
			t.Fatal(err)
		}
		return newTerminal(columns, rows).play(t)
	})
}

// The same while the user changes the terminal's size.
func TestScreenResized(t *testing.T) {
	term := newTerminal(120, 40)
	sizes := [][2]int{{120, 40}, {60, 14}, {61, 13}, {200, 50}, {30, 8}, {9, 3}, {80, 24}}
	term.before = func(turn int) { term.resize(sizes[turn/20%len(sizes)]) }
	term.play(t)
}

// terminal is a virtual one, with a screen that draws on it.
type terminal struct {
	vt10x.Terminal
	columns, rows int
	before        func(turn int) // is called before each picture
}

func newTerminal(columns, rows int) *terminal {
	return &terminal{vt10x.New(vt10x.WithSize(columns, rows)), columns, rows, func(int) {}}
}

func (term *terminal) resize(size [2]int) {
	term.columns, term.rows = size[0], size[1]
	term.Resize(term.columns, term.rows)
}

// lines are the rows that the terminal shows.
func (term *terminal) lines() []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(term.String(), " \n"), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// play shows the run, compares each picture with the terminal, and returns two of them and what is left at the end.
func (term *terminal) play(t *testing.T) (shown string) {
	t.Helper()
	s := newScreen(Config{Program: "bin/lease-sidecar", Out: term, Size: func() (int, int) { return term.columns, term.rows }, Colour: true})
	s.begin()
	keep := func(what string) {
		shown += fmt.Sprintf("# %s\n%s\n", what, strings.Join(term.lines(), "\n"))
	}
	turn := 0
	for i, scenes := 0, aRun(); i < len(scenes); i++ {
		if scenes[i].step != "" {
			s.announce(scenes[i].step)
		}
		if scenes[i].move != nil {
			s.moved(*scenes[i].move)
		}
		until := 15400 * time.Millisecond
		if i+1 < len(scenes) {
			until = scenes[i+1].from
		}
		for at := scenes[i].from; at < until; at += tick {
			term.before(turn)
			turn++
			s.look(at, scenes[i].sights[:])
			s.draw()
			term.check(t, s)
		}
		if seen := scenes[i].sights; seen[2].condition == killed && !seen[0].leads {
			keep(fmt.Sprintf("at %s", until))
		}
	}
	s.end(verdict{moves: len(steps) + 1, looks: 40000})
	keep("the end")
	return shown
}

var coloured = regexp.MustCompile("\x1b\\[[0-9]*m")

// check compares the terminal with the picture. A line that wraps, a row that is torn and one that an older picture has left
// all show as a difference.
func (term *terminal) check(t *testing.T, s *screen) {
	t.Helper()
	var want []string
	for _, line := range s.picture(term.columns, term.rows) {
		want = append(want, strings.TrimRight(coloured.ReplaceAllString(line, ""), " "))
	}
	for want[len(want)-1] == "" {
		want = want[:len(want)-1]
	}
	if diff := cmp.Diff(want, term.lines()); diff != "" {
		t.Fatalf("%dx%d at %s: the terminal shows something else than the picture (-want +got)\n%s", term.columns, term.rows, s.elapsed, diff)
	}
	if term.columns < 60 || term.rows < 14 {
		return // too small for all of it
	}
	shown := strings.Join(want, "\n")
	for _, part := range []string{"leader, not renewed  ─ standby  ░ not running", "|0 s ", "|8 s", "NO LEADER FOR", "of about 15 s", s.now} {
		if !strings.Contains(shown, part) {
			t.Fatalf("%dx%d at %s: no %q in\n%s", term.columns, term.rows, s.elapsed, part, shown)
		}
	}
}

// What is no terminal gets a line for each thing that happens, without any escape sequence.
func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(Config{Out: &out, Colour: true})
	s.begin()
	for _, scene := range aRun()[:3] {
		if scene.step != "" {
			s.announce(scene.step)
		}
		if scene.move != nil {
			s.moved(*scene.move)
		}
	}
	s.end(verdict{moves: 2, looks: 9})
	want := `lease-sidecar demo: 3 replicas on a new Lease of 3 s, no cluster; it takes about 15 s
now: three replicas start on a new Lease
  - -> toy-a in 3.10 s; no leader for 3.10 s; a new Lease is free after 3 s
now: toy-a is asked to step down
2 of 5 moves; in 9 looks: two led at once for 0 ms, two worked at once for 0 ms
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A cell of a timeline shows the greatest of what was seen in its time.
func TestTimelineCell(t *testing.T) {
	s := newScreen(Config{})
	s.elapsed, s.verdict = time.Second, &verdict{} // a cell is ten ticks
	s.seen = [][]mark{
		slices.Concat([]mark{leader}, slices.Repeat([]mark{standby}, 18), []mark{notRunning}),
		slices.Concat([]mark{notRenewed, leader}, slices.Repeat([]mark{notRunning}, 17), []mark{notRenewed}),
		slices.Concat(slices.Repeat([]mark{notRunning}, 10), []mark{standby}),
	}
	p := &page{width: len("  toy-a  ") + 2}
	s.addTimelines(p)
	if diff := cmp.Diff([]string{"  toy-a  █─", "  toy-b  █▓", "  toy-c  ░─"}, p.lines[:3]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The table of moves never says that nobody led for longer than the move took.
func TestTimesOfAMove(t *testing.T) {
	for name, tc := range map[string]struct {
		lastLed     int
		took, alone time.Duration
	}{
		"the last look was before the act": {98, 11 * time.Millisecond, 11 * time.Millisecond},
		"the old leader's term ran on":     {105, 11 * time.Millisecond, 6 * time.Millisecond},
	} {
		if took, alone := times(ms(100), ms(tc.lastLed), ms(111)); took != tc.took || alone != tc.alone {
			t.Errorf("%s: took %s, no leader for %s; want %s and %s", name, took, alone, tc.took, tc.alone)
		}
	}
}

// The last line names the tutorial and the program as the user called it, in two lines where one would be cut off.
func TestNextStep(t *testing.T) {
	s := newScreen(Config{Program: "bin/lease-sidecar"})
	for width, want := range map[int][]string{
		67: {"next: follow docs/tutorial/first-election.md with bin/lease-sidecar"},
		66: {"next: follow docs/tutorial/first-election.md", "with bin/lease-sidecar"},
	} {
		if diff := cmp.Diff(want, s.nextStep(width)); diff != "" {
			t.Errorf("%d columns (-want +got)\n%s", width, diff)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, v := range []verdict{{led: 1}, {work: 1}} {
		if v.err() == nil {
			t.Errorf("%+v passes", v)
		}
	}
	if err := (verdict{looks: 9}).err(); err != nil {
		t.Error(err)
	}
	if all := len(steps) + 1; (verdict{moves: all - 1}).well() || !(verdict{moves: all}).well() {
		t.Error("a run went well that lacks a move, or not well that has all")
	}
}
