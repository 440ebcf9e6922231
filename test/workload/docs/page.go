package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind is what a step does.
type Kind string

// The kinds of steps.
const (
	Run   Kind = "run"    // Text are commands, which end with Status
	Start Kind = "start"  // Text are commands, of which the last one runs on
	Shows Kind = "shows"  // Text are lines that the terminal shows
	Keys  Kind = "Ctrl-C" // the keys are pressed
	Ends  Kind = "ends"   // what runs on in the terminal ends
	File  Kind = "file"   // Text is appended to the file Name
)

// Step is one thing that a reader of a page does or sees.
type Step struct {
	// Kind says what is done, or seen.
	Kind Kind
	// Terminal is its number, from 1; 0 for File.
	Terminal int
	// Text is what is typed, shown or written.
	Text string
	// Name is the file's, for File.
	Name string
	// Status is what the last of the commands ends with, for Run.
	Status int
	// Line is that of the page, from 1.
	Line int
}

// String names the step for messages.
func (s Step) String() string {
	return fmt.Sprintf("line %d, terminal %d, %s", s.Line, s.Terminal, s.Kind)
}

// shells are the languages whose blocks are commands.
var shells = []string{"sh", "bash", "shell", "console"}

var (
	comment  = regexp.MustCompile(`^<!-- terminal (\d+)(: Ctrl-C| ends| shows: (.*)) -->$`)
	terminal = regexp.MustCompile(`^terminals? (\d+(?:, \d+)*)`)
	showing  = regexp.MustCompile(`^(?:terminal (\d+) )?shows$`)
)

// Read returns the steps of a page. Elsewhere says which lines of it are run elsewhere, or by nobody: they are left out. All faults of
// the page's marks come back.
func Read(document string, elsewhere func(line string) bool) (steps []Step, faults []error) {
	r := &reader{elsewhere: elsewhere}
	lines := strings.Split(document, "\n")
	for i := 0; i < len(lines); i++ {
		r.line = i + 1
		if m := comment.FindStringSubmatch(lines[i]); m != nil {
			r.comment(m)
			continue
		}
		indent, info, opens := strings.Cut(lines[i], "```")
		if !opens || strings.TrimSpace(indent) != "" {
			continue
		}
		var block []string
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			block = append(block, strings.TrimPrefix(lines[i], indent))
		}
		r.block(info, block)
	}
	return r.steps, r.faults
}

type reader struct {
	elsewhere func(string) bool
	line      int
	last      int // the terminal of the last command
	steps     []Step
	faults    []error
}

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("line %d: "+format, append([]any{r.line}, args...)...))
}

func (r *reader) add(s Step) {
	s.Line = r.line
	r.steps = append(r.steps, s)
}

func (r *reader) comment(m []string) {
	n, _ := strconv.Atoi(m[1]) // the pattern has digits
	switch {
	case m[3] != "":
		r.add(Step{Kind: Shows, Terminal: n, Text: strings.ReplaceAll(m[3], ", ", "\n")})
	case m[2] == " ends":
		r.add(Step{Kind: Ends, Terminal: n})
	default:
		r.add(Step{Kind: Keys, Terminal: n})
	}
}

func (r *reader) block(info string, block []string) {
	language, mark, _ := strings.Cut(info, " ")
	mark = strings.TrimSpace(mark)
	switch {
	case language == "":
		r.fault("the block does not name its language: write sh, console, text, yaml, …")
	case slices.Contains(shells, language):
		r.commands(language, mark, slices.DeleteFunc(block, r.elsewhere))
	case language == "text" && mark != "":
		m := showing.FindStringSubmatch(mark)
		if m == nil {
			r.fault("%q is not understood: write shows, or terminal 1 shows", mark)
			return
		}
		n := r.last
		if m[1] != "" {
			n, _ = strconv.Atoi(m[1]) // the pattern has digits
		}
		if n == 0 {
			r.fault("no command comes before what it shows")
			return
		}
		r.add(Step{Kind: Shows, Terminal: n, Text: strings.Join(block, "\n")})
	case strings.HasPrefix(mark, "file "):
		r.add(Step{Kind: File, Name: strings.TrimPrefix(mark, "file "), Text: strings.Join(block, "\n")})
	}
}

// commands takes a block of commands, without those that are run elsewhere.
func (r *reader) commands(language, mark string, block []string) {
	empty := strings.TrimSpace(strings.Join(block, "")) == ""
	m := terminal.FindStringSubmatch(mark)
	switch {
	case empty && m == nil:
		return
	case empty:
		r.fault("the block is marked, and no command of it is run")
		return
	case m == nil:
		r.fault("nobody runs %q: mark the block with its terminal, or list it in test/workload/docs, with the reason", first(block))
		return
	}
	step, script := Step{Kind: Run}, false
	for option := range strings.SplitSeq(strings.TrimPrefix(mark[len(m[0]):], ", "), ", ") {
		status, hasStatus := strings.CutPrefix(option, "status ")
		n, err := strconv.Atoi(status)
		switch {
		case option == "":
		case option == "stays":
			step.Kind = Start
		case option == "script":
			script = true
		case hasStatus && err == nil:
			step.Status = n
		default:
			r.fault("%q is not understood: write stays, script or status 1", option)
		}
	}
	for number := range strings.SplitSeq(m[1], ", ") {
		step.Terminal, _ = strconv.Atoi(number) // the pattern has digits
		r.last = step.Terminal
		if language == "console" {
			r.session(step, block)
			continue
		}
		step.Text = strings.Join(block, "\n")
		if script {
			step.Text = "sh -c '" + strings.ReplaceAll(step.Text, "'", `'\''`) + "'"
		}
		r.add(step)
	}
}

// session takes a block in which "$ " begins a command, and its output follows.
func (r *reader) session(step Step, block []string) {
	var shown []string
	flush := func() {
		if len(shown) > 0 {
			r.add(Step{Kind: Shows, Terminal: step.Terminal, Text: strings.Join(shown, "\n")})
		}
		shown = nil
	}
	for _, line := range block {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			flush()
			step.Text = command
			r.add(step)
		} else {
			shown = append(shown, line)
		}
	}
	flush()
}

func first(block []string) string {
	for _, line := range block {
		if strings.TrimSpace(line) != "" {
			return line
		}
	}
	return ""
}
