package process

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// actor is one made-up process.
type actor struct {
	procfs.Process
	procfs.Signals
	denied  bool
	handled Signo // last, of those that it catches
}

// pod is what the machine decides about.
type pod struct {
	t      *testing.T
	m      machine
	now    bootclock.Instant
	took   time.Duration
	actors map[int]*actor
	deaf   bool // the guard takes no order

	meanwhile *leadership.Leadership      // it comes while /proc is read
	next      bootclock.Instant           // when the machine wants to be asked again
	sent      func(procfs.Process, Signo) // sees every signal; may be nil
	out       strings.Builder
}

const transcriptBoot = bootclock.Instant(1000 * time.Second) // the boot clock at 0s of a transcript

func play(t *testing.T, script string) string {
	p := &pod{t: t, actors: map[int]*actor{}}
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, ">") {
			continue
		}
		p.out.WriteString(line + "\n")
		if parts := strings.Fields(line); len(parts) > 0 && !strings.HasPrefix(line, "#") {
			p.line(parts)
		}
	}
	return p.out.String()
}

// options reads KEY=VALUE arguments; an argument without = is its own value.
func options(args []string) map[string]string {
	given := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		given[key] = value
	}
	return given
}

func (p *pod) line(parts []string) {
	if parts[0] == "config" {
		p.configure(options(parts[1:]))
		return
	}
	p.now = p.instant(parts[0])
	args := options(parts[2:])
	p.took, _ = time.ParseDuration(args["took"])
	switch parts[1] {
	case "start":
		p.start(parts[2], args)
	case "guard":
		p.deaf = parts[2] == "fails"
	case "lead":
		p.apply(leadership.Leadership{IsLeader: true, Token: parts[2], ValidUntil: p.instant(args["until"])})
	case "drain":
		transitions, _ := strconv.ParseInt(args["transitions"], 10, 64)
		p.apply(leadership.Leadership{ValidUntil: p.instant(args["until"]), Transitions: transitions})
	case "lose":
		p.apply(leadership.Leadership{})
	case "step":
		if token := args["meanwhile"]; token != "" {
			p.meanwhile = &leadership.Leadership{IsLeader: true, Token: token, ValidUntil: p.instant(args["until"])}
		}
		p.act()
	case "close":
		if p.m.close(p.now) {
			p.act()
		}
	default:
		p.change(parts[1], parts[2])
	}
}

func (p *pod) instant(text string) bootclock.Instant {
	d, err := time.ParseDuration(text)
	if err != nil {
		p.t.Fatalf("%q is no time", text)
	}
	return transcriptBoot.Add(d)
}

func (p *pod) signo(text string) Signo {
	s, err := ParseSignal(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *pod) configure(args map[string]string) {
	cfg := Config{Target: Target{Name: "web"}, OnElected: p.signo(args["elected"]), OnLost: p.signo(args["lost"])}
	_, cfg.Fence = args["fence"]
	cfg.KillMargin, _ = time.ParseDuration(args["margin"])
	cfg.StopTimeout, _ = time.ParseDuration(args["stop"])
	if err := cfg.Validate(); err != nil {
		p.t.Fatal(err)
	}
	p.m = newMachine(cfg)
}

func (p *pod) pid(text string) int {
	pid, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatalf("%q is no pid", text)
	}
	return pid
}

func (p *pod) start(pid string, args map[string]string) {
	a := &actor{Process: procfs.Process{ID: procfs.ID{PID: p.pid(pid), Start: uint64(p.now)}, Parent: 1, State: 'S', Threads: 1, Comm: "web"}}
	if name := args["name"]; name != "" {
		a.Comm = name
	}
	if parent := args["parent"]; parent != "" {
		a.Parent = p.pid(parent)
	}
	for _, s := range strings.FieldsFunc(args["catches"], func(r rune) bool { return r == ',' }) {
		a.Caught |= 1 << (p.signo(s) - 1)
	}
	if args["ignores"] != "" {
		a.Ignored = 1 << (p.signo(args["ignores"]) - 1)
	}
	p.actors[a.PID] = a
}

func (p *pod) change(what, pid string) {
	a := p.actors[p.pid(pid)]
	if a == nil { // it has ended otherwise
		p.say("there is no process %s", pid)
		return
	}
	switch what {
	case "end":
		p.end(a)
	case "freeze":
		a.State = 'T'
	case "wake", "rest":
		a.State, a.Pending = 'S', 0
	case "busy":
		a.State = 'R'
	case "deny":
		a.denied = true
	default:
		p.t.Fatalf("%s is no event", what)
	}
}

// end ends a process: its children are nobody's then.
func (p *pod) end(ended *actor) {
	delete(p.actors, ended.PID)
	for _, a := range p.actors {
		if a.Parent == ended.PID {
			a.Parent = 1
		}
	}
}

func (p *pod) apply(l leadership.Leadership) {
	p.m.lead(l, p.now)
	p.act()
}

// act does what the machine wants, and writes it down.
func (p *pod) act() {
	var came answer
	for range 50 {
		out, err := p.m.decide(p.view(came))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, r := range out.records {
			p.say("%s %s %s", r.level, r.message, pairs(r.args))
		}
		if out.crashed {
			p.say("crashed")
		}
		if out.action.kind == nothing {
			p.next = out.next
			p.sayRest(out)
			return
		}
		came = p.carryOut(out.action)
	}
	p.t.Fatalf("the machine does not come to rest:\n%s", p.out.String())
}

func (p *pod) say(format string, args ...any) {
	fmt.Fprintf(&p.out, "> "+format+"\n", args...)
}

func (p *pod) sayRest(out output) {
	if out.failure != nil {
		p.say("not applied: %s", strings.ReplaceAll(out.failure.Error(), "\n", "; "))
	}
	if !out.wait.IsZero() {
		p.say("wait for %s", out.wait.Sub(p.now))
		return
	}
	if pause := out.next.Sub(p.now); pause > 0 {
		p.say("next in %s", pause)
	} else {
		p.say("next at once")
	}
}

// pairs shows what a record says but its error, which is in the failure.
func pairs(args []any) string {
	var text []string
	for i := 0; i < len(args); i += 2 {
		if args[i] != "error" && args[i] != "command" && args[i] != "target" {
			text = append(text, fmt.Sprintf("%s=%v", args[i], args[i+1]))
		}
	}
	return "[" + strings.Join(text, " ") + "]"
}

func (p *pod) view(came answer) view {
	v := view{now: p.now, answer: came, states: map[procfs.ID]byte{}}
	for _, a := range p.actors {
		v.states[a.ID] = a.State
	}
	if held := p.m.held; held != nil {
		v.process = heldView{id: held.ID, ended: true}
		if a := p.actors[held.PID]; a != nil && a.ID == held.ID {
			v.process = heldView{id: held.ID, err: errNotRead}
			if p.m.closely() {
				v.process = heldView{id: held.ID, state: a.State, signals: a.Signals}
			}
		}
	}
	return v
}

func (p *pod) carryOut(a action) answer {
	came := answer{of: a.kind}
	switch a.kind {
	case lookNow:
		p.say("look%s", map[bool]string{false: " at the table"}[a.find])
		came.look = p.look()
	case armGuard:
		p.say("%s", p.order(a.order))
		came.errs = []error{nil}
		if p.deaf {
			came.errs[0] = errors.New("the guard is gone")
		}
	case sendSignal:
		var pids []string
		for _, to := range a.to {
			pids = append(pids, strconv.Itoa(to.PID))
		}
		p.say("signal %s to %s", a.signo, strings.Join(pids, ", "))
		for _, to := range a.to {
			if p.sent != nil {
				p.sent(to, a.signo)
			}
			came.errs = append(came.errs, p.signal(to, a.signo))
		}
	}
	return came
}

func (p *pod) look() look {
	l := look{table: procfs.Table{}, took: p.took}
	if p.meanwhile != nil {
		p.m.lead(*p.meanwhile, p.now)
		p.meanwhile = nil
	}
	var heads []procfs.Process
	for _, pid := range slices.Sorted(maps.Keys(p.actors)) {
		a := p.actors[pid]
		l.table[pid] = a.Process
		if a.Comm != "web" {
			continue
		}
		l.namesakes = append(l.namesakes, a.Process)
		if parent := p.actors[a.Parent]; parent == nil || parent.Comm != "web" {
			heads = append(heads, a.Process)
		}
	}
	switch len(heads) {
	case 0:
		l.findErr = errNone
	case 1:
		l.found = heads[0]
	default:
		l.findErr = fmt.Errorf("%d processes match", len(heads))
	}
	return l
}

func (p *pod) order(o procfs.Order) string {
	if o.PID == 0 {
		return "disarm the guard"
	}
	text := fmt.Sprintf("arm the guard: %s to %d at %s", Signo(o.Signal), o.PID, o.Deadline.Sub(transcriptBoot))
	if o.Gain != 0 {
		text += ", after " + Signo(o.Gain).String()
	}
	if !o.Kill.IsZero() {
		text += fmt.Sprintf(", kill at %s", o.Kill.Sub(transcriptBoot))
	}
	for _, kin := range o.Kin {
		text += fmt.Sprintf(" and %d", kin.PID)
	}
	return text
}

func (p *pod) signal(to procfs.Process, s Signo) error {
	a := p.actors[to.PID]
	n := syscall.Signal(s)
	switch {
	case a == nil || a.ID != to.ID:
		return procfs.ErrOver
	case a.denied:
		return errors.New("operation not permitted")
	case s == kill, s == term && !a.Caught.Has(n) && !a.Ignored.Has(n):
		p.end(a)
	case s == stop:
		a.State = 'T'
	case s == cont:
		a.State = 'S'
	case a.State == 'T':
		a.Pending |= 1 << (s - 1)
	default:
		a.handled = s
	}
	return nil
}
