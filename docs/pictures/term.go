package main

import (
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// seconds writes a duration as the documents do.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

// term is the end of a term that is not renewed any more. The spans count from when the last renewal that succeeded was sent.
type term struct {
	renew, valid, kill, dead, expiry time.Duration
}

func newTerm(timings elector.Config) term {
	margin := timings.KillMargin()
	return term{
		renew: timings.RenewInterval, valid: timings.RenewDeadline,
		kill: timings.RenewDeadline + margin/2, dead: timings.RenewDeadline + margin, expiry: timings.Duration,
	}
}

// termPicture shows it in the timings of an elector.
func termPicture(timings elector.Config) svg.Picture {
	t := newTerm(timings)
	return svg.Picture{
		Name: "term", Width: 840, Height: 380,
		Title: "A term that is not renewed any more: the old leader ends before anybody else may begin",
		Desc: "A timeline that begins when the leader sends its last successful renewal. It renewed every " + seconds(t.renew) + " before; the later " +
			"attempts fail. After " + seconds(t.valid) + ", at validUntil, the leader's term ends by its own clock. A workload that something kills gets SIGKILL " +
			"after " + seconds(t.kill) + ", the kill deadline, and nothing of it may live after " + seconds(t.dead) + ". The standby counts " + seconds(t.expiry) +
			", the lease duration, from when it received the renewal. Then the Lease has expired, and the standby takes it. Between validUntil and the " +
			"expiry nobody leads: " + seconds(t.expiry-t.valid) + " or more.",
		Draw: t.draw,
	}
}

// arrives is how long the renewal takes to reach the standby in the picture.
func (t term) arrives() time.Duration { return t.renew / 10 }

func (t term) draw(c *svg.Canvas) {
	const left, right, axis, barHeight = 140.0, 824.0, 336.0, 28.0
	first, last := -t.renew*4/3, t.expiry+t.renew
	at := func(d time.Duration) float64 {
		return left + (right-left)*float64(d-first)/float64(last-first)
	}
	received := t.arrives()
	sent, valid, kill, dead, expiry := at(0), at(t.valid), at(t.kill), at(t.dead), at(t.expiry+received)

	c.Text(16, 28, "h", "The leader is cut off from the API server")
	c.Text(16, 47, "muted", "Default timings. Time counts from the sending of the last renewal that succeeded, which here takes "+seconds(received)+" to arrive.")

	// The instants, from their names down to the axis.
	for _, i := range []struct {
		x            float64
		colour, name string
		shift        float64
		anchor       string
	}{
		{sent, "blue", "last renewal", 0, " mid"},
		{valid, "green", "validUntil", 6, " end"},
		{kill, "red", "kill deadline", -6, ""},
		{expiry, "blue", "Lease expires", -6, ""},
	} {
		c.Text(i.x+i.shift, 82, "b "+i.colour+i.anchor, i.name)
		c.Line(i.colour+"-line dash", i.x, 90, i.x, axis)
	}
	c.Line("red-line dash", dead, 184, dead, axis)

	row := func(y float64, name, sub string) {
		c.Text(16, y+11, "b", name)
		c.Text(16, y+26, "s muted", sub)
	}
	bar := func(y, from, to float64, class, says string) {
		c.Rect(from, y, to-from, barHeight, 4, class)
		c.Text((from+to)/2, y+19, "mid", says)
	}
	row(100, "Leader", "its renewals")
	for k := -t.renew; k < t.valid; k += t.renew {
		if k <= 0 {
			c.Arrow("blue", false, at(k), 128, at(k), 102)
			continue
		}
		c.Line("red-line", at(k)-5, 110, at(k)+5, 120)
		c.Line("red-line", at(k)-5, 120, at(k)+5, 110)
	}
	row(144, "File and HTTP", "of the leader")
	bar(144, left, valid, "green-fill", "“this replica leads”")
	row(188, "Workload", "of the leader")
	bar(188, left, valid, "green-fill", "works")
	bar(188, valid, kill, "amber-fill", "stops")
	c.Text(dead+6, 207, "s red halo", "killed; dead by "+seconds(t.dead))
	row(232, "Standby", "waits, then leads")
	bar(232, at(received), expiry, "card", "counts "+seconds(t.expiry)+" from when it received the last renewal")
	bar(232, expiry, right, "green-fill", "leads")

	// The spans between.
	for _, s := range []struct {
		colour, says string
		from, to, y  float64
	}{
		{"green", "renew deadline: " + seconds(t.valid), sent, valid, 288},
		{"amber", "nobody leads: " + seconds(t.expiry-t.valid) + " or more", valid, expiry, 288},
	} {
		c.Span(s.colour, s.from, s.to, s.y)
		c.Text((s.from+s.to)/2, s.y-7, "s mid halo "+s.colour, s.says)
	}
	c.Span("red", valid, dead, 314)
	c.Text(dead+8, 318, "s red halo", "kill margin: "+seconds(t.dead-t.valid))

	c.Line("muted-line", left, axis, right, axis)
	for _, d := range []time.Duration{-t.renew, 0, t.renew, 2 * t.renew, 3 * t.renew, t.valid, t.kill, t.dead, t.expiry + received} {
		c.Line("muted-line", at(d), axis, at(d), axis+5)
		if d != 3*t.renew {
			c.Text(at(d), axis+22, "s muted mid", seconds(d))
		}
	}
}
