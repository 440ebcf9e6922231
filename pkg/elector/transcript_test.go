package elector

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/transcripttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestTranscripts plays the files in testdata: a line that starts with a time is an event for one candidate
// ("web-0_pod"), the lines with ">" are what the machine wants done about it. A store of one Lease stands behind it.
//
//	5ms start                                       first tick
//	5ms tick
//	5ms reply [lost|dropped|forbidden|error]        perform the request in flight, and answer it; lost: performed, but
//	                                                answered by a time-out; dropped: timed out, and not performed
//	5ms hold                                        keep the write in flight back, and answer it by a time-out
//	5ms land                                        perform the write that was kept back
//	5ms watch                                       deliver the store's newest state, or deletion, by the watch
//	5ms put [holder=X] [duration=N] [mark=M] [renew=T] [workload=W] [preferred=X] [uid=U] [wish=P] [successor=X]   somebody else writes
//	5ms delete                                      somebody else deletes
//	5ms restore N                                   the store goes back to version N, with the record as it is
//	5ms opened | closed [expired|forbidden]         the watch
//	5ms stepdown | leave | terminate | abandon | stopped | unhealthy | healthy
//	5ms prefer [successor=X] [back]                 what is known of the members
//	5ms answer P X | answer P                       the pod P is X, or nobody
//	5ms holdfail                                    the hold that was last wanted could not be written
//	5ms reply of=N | opened of=N | stopped of=N …   the same as an answer to question N, instead of the newest of its kind
//	config priority=N lead-unhealthy exit-on-loss       before start
//	hold uid=U acquired=T until=T [leading]         before start: what a predecessor left
//
// A mark "held:X:N" is X's for N seconds, "released" one that goes with the renew time.
func TestTranscripts(t *testing.T) { transcripttest.Run(t, play) }

const transcriptBoot = 1000 * time.Second // the boot clock at 0s of a transcript

var transcriptEpoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// player is one candidate under a transcript.
type player struct {
	t     *testing.T
	m     *machine
	store simStore
	kept  *request
	hold  *HoldState
	cfg   Config
	out   strings.Builder

	unready string // as last printed
}

func play(t *testing.T, script string) string {
	p := &player{t: t, cfg: configured("web-0_pod")}
	p.store.version = 100
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, ">") {
			continue
		}
		p.out.WriteString(line + "\n")
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, "#") {
			p.line(fields)
		}
	}
	return p.out.String()
}

func (p *player) line(fields []string) {
	if fields[0] == "config" {
		p.configure(fields[1:])
		return
	}
	if fields[0] == "hold" {
		p.hold = p.parseHold(fields[1:])
		return
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil || len(fields) < 2 {
		p.t.Fatalf("line %q: want a time and an event", strings.Join(fields, " "))
	}
	now := moment{boot: bootclock.Instant(transcriptBoot + at), wall: transcriptEpoch.Add(at)}
	if fields[1] == "start" {
		p.m = newMachine(p.cfg, "boot", p.hold, func() float64 { return 0.5 })
	}
	args, number := fields[2:], 0
	if n := len(args); n > 0 && strings.HasPrefix(args[n-1], "of=") {
		number, _ = strconv.Atoi(args[n-1][len("of="):])
		args = args[:n-1]
	}
	e := p.event(now, fields[1], args)
	if e == nil {
		return
	}
	out, err := p.m.step(now, answering(p.m, e, number))
	if err != nil {
		fmt.Fprintf(&p.out, "> ERROR %v\n", err)
		return
	}
	p.print(out)
}

// event turns a line into the machine's event; nil where it only changes the store.
func (p *player) event(now moment, name string, args []string) event {
	switch name {
	case "start", "tick":
		return tick{}
	case "reply":
		return p.reply(strings.Join(args, ""))
	case "hold":
		p.kept = p.m.inflight
		return replied{err: errTimeout}
	case "land":
		if _, err := p.store.perform(p.kept); err != nil {
			fmt.Fprintf(&p.out, "> store: %v\n", err)
		}
		return nil
	case "put":
		p.put(now, args)
		return nil
	case "delete":
		p.store.delete()
		return nil
	case "restore":
		p.store.version, _ = strconv.Atoi(args[0])
		p.store.put(*p.store.record)
		return nil
	case "watch":
		return changed{Event: p.store.history[len(p.store.history)-1]}
	case "opened":
		return watchOpened{}
	case "closed":
		switch {
		case len(args) > 0 && args[0] == "forbidden":
			return watchClosed{err: lease.ErrForbidden}
		case len(args) > 0:
			return watchClosed{err: lease.ErrExpired}
		}
		return watchClosed{err: errors.New("connection reset")}
	case "stepdown":
		return stepDown{cause: "asked"}
	case "terminate":
		return terminate{}
	case "leave":
		return leave{}
	case "prefer":
		var prefers prefer
		for _, arg := range args {
			_, prefers.Successor, _ = strings.Cut(arg, "=")
			prefers.StandBack = prefers.StandBack || arg == "back"
		}
		return prefers
	case "answer":
		if len(args) > 1 {
			return wishAnswered{Answer{Pod: args[0], Identity: args[1]}}
		}
		return wishAnswered{Answer{Pod: args[0], Why: "no member has that name"}}
	case "abandon":
		return abandon{}
	case "holdfail":
		return holdFailed{}
	case "unhealthy":
		return health{why: "/healthz says 503"}
	case "healthy":
		return health{healthy: true, why: "/healthz says 200"}
	case "stopped":
		return stopWaitEnded{outcome: WorkloadStopped}
	}
	p.t.Fatalf("unknown event %q", name)
	return nil
}

func (p *player) reply(how string) event {
	if p.m.inflight == nil {
		return replied{}
	}
	switch how {
	case "dropped":
		return replied{err: errTimeout}
	case "forbidden":
		return replied{err: lease.ErrForbidden}
	case "error":
		return replied{err: errors.New("internal error")}
	}
	reply, err := p.store.perform(p.m.inflight)
	if how == "lost" {
		return replied{err: errTimeout}
	}
	return replied{reply: reply, err: err}
}

// put is somebody else's write: the record as it is, with what the arguments say.
func (p *player) put(now moment, args []string) {
	r := lease.Record{UID: "u1"}
	if p.store.record != nil {
		r = *p.store.record
	}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "holder":
			r.Holder = value
		case "duration":
			n, _ := strconv.Atoi(value)
			r.DurationSeconds = int32(n)
		case "renew":
			d, _ := time.ParseDuration(value)
			r.RenewTime = transcriptEpoch.Add(d)
		case "acquired":
			d, _ := time.ParseDuration(value)
			r.AcquireTime = transcriptEpoch.Add(d)
		case "workload":
			r.Workload = value
		case "preferred":
			r.PreferredHolder = value
		case "uid":
			r.UID = value
		case "wish":
			r.Wish = value
		case "successor":
			r.Successor = value
		case "mark":
			r.Mark = value
			if parts := strings.Split(value, ":"); parts[0] == "held" {
				n, _ := strconv.Atoi(parts[2])
				r.Mark = lease.HeldMark(parts[1], time.Duration(n)*time.Second)
			}
		default:
			p.t.Fatalf("unknown field %q", arg)
		}
	}
	if r.Mark == "released" {
		r.RenewTime = now.wall
		r.Mark = lease.ReleasedMark(now.wall)
	}
	if r.Successor != "" && !strings.Contains(r.Successor, "@") {
		r.Successor = lease.SuccessorMark(r.Successor, r.RenewTime)
	}
	p.store.put(r)
}

func (p *player) configure(args []string) {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "priority":
			p.cfg.Priority, _ = strconv.Atoi(value)
		case "lead-unhealthy":
			p.cfg.LeadUnhealthy = true
		case "exit-on-loss":
			p.cfg.ExitOnLoss = true
		default:
			p.t.Fatalf("unknown setting %q", arg)
		}
	}
}

func (p *player) parseHold(args []string) *HoldState {
	h := &HoldState{Token: "77", Transitions: 4, Since: transcriptEpoch.Add(-time.Minute)}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		d, _ := time.ParseDuration(value)
		switch key {
		case "uid":
			h.UID = value
		case "acquired":
			h.AcquireTime = transcriptEpoch.Add(d)
		case "until":
			h.ValidUntil = bootclock.Instant(transcriptBoot + d)
		case "leading":
			h.Leading = true
		}
	}
	return h
}

// print renders what the machine wants done.
func (p *player) print(out output) {
	say := func(format string, args ...any) { fmt.Fprintf(&p.out, "> "+format+"\n", args...) }
	if h := out.hold; h != nil {
		say("hold leading=%v until=%s", h.Leading, since(h.ValidUntil))
	}
	if l := out.leadership; l != nil {
		say("publish leads=%v leader=%q token=%q until=%s", l.IsLeader, l.Leader, l.Token, since(l.ValidUntil))
	}
	for _, n := range out.notes {
		say("%s %s %v", n.severity, n.text, n.all())
	}
	if out.endStopWait {
		say("end the stop wait")
	}
	if out.abandoned {
		say("the drain is abandoned")
	}
	if d := out.stopWait; d != nil {
		say("drain cause=%q terminating=%v until=%s token=%s", d.Cause, d.Terminating, since(d.Until), d.Token)
	}
	if out.unready != p.unready {
		p.unready = out.unready
		say("unready: %q", out.unready)
	}
	if out.stepDownErr != nil {
		say("refused: %v", out.stepDownErr)
	}
	if out.wished != "" {
		say("wished %q", out.wished)
	}
	if out.watch != nil {
		say("watch from %q", out.watch.version)
	}
	if r := out.request; r != nil {
		say("%s %s timeout=%v", r.verb, describeWrite(r), r.timeout)
	}
	if out.done {
		say("done: %v", out.err)
	}
}

func describeWrite(r *request) string {
	if r.verb == verbGet {
		return "known=" + strconv.Quote(string(r.known))
	}
	rec := r.record
	text := fmt.Sprintf("version=%q holder=%q duration=%d renew=%s mark=%q", rec.Version, rec.Holder, rec.DurationSeconds,
		rec.RenewTime.Format("05.000000"), rec.Mark)
	for _, more := range [][2]string{{"successor", rec.Successor}, {"wish", rec.Wish}, {"answer", rec.WishAnswer}} {
		if more[1] != "" {
			text += fmt.Sprintf(" %s=%q", more[0], more[1])
		}
	}
	return text
}

func since(i bootclock.Instant) string {
	if i.IsZero() {
		return "-"
	}
	return time.Duration(i - bootclock.Instant(transcriptBoot)).String()
}
