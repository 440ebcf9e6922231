package main

import "github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"

// handoverPicture shows a planned handover as a sequence of messages.
func handoverPicture() svg.Picture {
	return svg.Picture{
		Name: "handover", Width: 840, Height: 536,
		Title: "A planned handover: the Lease is released after the old application has stopped",
		Desc: "Five lanes: application A, sidecar A, the Lease, sidecar B and application B; time goes down. 1: sidecar A gets SIGTERM, or is asked to step down. " +
			"2: it removes the leader file, so that application A sees that it does not lead. 3: application A ends its work, while sidecar A goes on renewing the " +
			"Lease. 4: application A releases the run lock, and sidecar A sees that the work has stopped. 5: sidecar A releases the Lease. 6: sidecar B, which " +
			"watches the Lease, gets the event. 7: it takes the Lease, with a write that names the version that it has seen. 8: it writes the leader file with a " +
			"higher token, and application B begins to work. At no time do both work.",
		Draw: drawHandover,
	}
}

func drawHandover(c *svg.Canvas) {
	lanes := []struct {
		x          float64
		name, says string
	}{
		{86, "Application A", "container"}, {264, "Sidecar A", "leader"}, {432, "Lease", "API server"}, {596, "Sidecar B", "standby"}, {756, "Application B", "container"},
	}
	appA, sidecarA, lease, sidecarB, appB := lanes[0].x, lanes[1].x, lanes[2].x, lanes[3].x, lanes[4].x
	for _, l := range lanes {
		c.Line("line", l.x, 62, l.x, 484)
		c.Rect(l.x-68, 14, 136, 48, 8, "card")
		c.Text(l.x, 34, "b mid", l.name)
		c.Text(l.x, 51, "s muted mid", l.says)
	}

	// Who works and who holds the Lease, when.
	const drained, taken, begins = 268.0, 380.0, 446.0
	c.Rect(appA-7, 74, 14, drained-74, 3, "green-fill")
	c.Rect(sidecarA-7, 74, 14, 126-74, 3, "green-fill")
	c.Rect(sidecarA-7, 126, 14, 312-126, 3, "amber-fill")
	c.Rect(sidecarB-7, taken+24, 14, 484-taken-24, 3, "green-fill")
	c.Rect(appB-7, begins, 14, 484-begins, 3, "green-fill")

	step := func(y float64, colour, number, what, more string, from, to float64) {
		c.Arrow(colour, false, from, y, to, y)
		c.Text((from+to)/2, y-8, "s mid", number+"  "+what)
		if more != "" {
			c.Text((from+to)/2, y+17, "s muted mid", more)
		}
	}
	c.Text(sidecarA+16, 100, "s", "1  SIGTERM, or step-down")
	c.Arrow("amber", false, sidecarA+50, 126, sidecarA+8, 126)
	step(154, "amber", "2", "leader file removed", "not leading any more", sidecarA-7, appA+8)
	c.Text(appA+16, 206, "s", "3  ends its work")
	c.Text(appA+16, 222, "s muted", "the drain")
	for _, y := range []float64{178, 218} {
		c.Arrow("blue", true, sidecarA+7, y, lease-2, y)
	}
	c.Text((sidecarA+lease)/2, 210, "s muted mid", "renewed meanwhile")
	step(drained, "green", "4", "run lock released", "the work has stopped", appA+7, sidecarA-8)
	step(312, "blue", "5", "release", "", sidecarA+7, lease-2)
	step(350, "blue", "6", "watch event", "", lease+2, sidecarB-2)
	step(taken+24, "blue", "7", "take", "if nothing has changed", sidecarB-7, lease+2)
	step(begins, "green", "8", "leader file", "a higher token", sidecarB+7, appB-8)

	c.Lines(appA, 404, 16, "s muted mid halo", "ended,", "or stands by")
	c.Lines(sidecarA, 404, 16, "s muted mid halo", "ended,", "or stands by")

	for i, fill := range []struct{ class, says string }{{"green-fill", "works, or leads"}, {"amber-fill", "drains: still holds the Lease, and does not lead"}} {
		x := 18 + float64(i)*140
		c.Rect(x, 508, 14, 14, 3, fill.class)
		c.Text(x+22, 520, "s muted", fill.says)
	}
}
