package main

import "github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"

// podPicture shows one replica: what the sidecar and the application share, and who talks to the API server.
func podPicture() svg.Picture {
	return svg.Picture{
		Name: "pod", Width: 840, Height: 424,
		Title: "One replica: the sidecar campaigns for the Lease, the application asks the sidecar",
		Desc: "A pod with two containers. The container lease-sidecar reads and writes one Lease of the Kubernetes API server: it keeps a watch open, " +
			"and renews the Lease every 3 seconds while it leads. It writes two files into a volume that both containers mount: state.json, the document " +
			"with a deadline, and leader, which is there only while this replica leads. It also answers HTTP on the loopback: GET /leader is 200 while this " +
			"replica leads and 503 while it does not. The application reads the files or asks over HTTP, and holds a lock on the file run.lock while it " +
			"works, by which the sidecar sees that the work has stopped. The sidecars of the other replicas keep one watch open each and send nothing.",
		Draw: drawPod,
	}
}

func drawPod(c *svg.Canvas) {
	// The API server and the other replicas.
	c.Rect(16, 40, 188, 186, 8, "card")
	c.Text(110, 64, "h mid", "Kubernetes API server")
	c.Rect(30, 80, 160, 132, 6, "blue-fill")
	c.Text(110, 102, "b mid", "Lease")
	c.Text(110, 121, "m mid", "acme-752b7817f6")
	c.Line("blue-line", 46, 132, 174, 132)
	c.Lines(44, 152, 20, "s", "holder: this pod", "duration: 15 s", "renewed: 2 s ago")

	for i := 2; i >= 0; i-- {
		d := float64(i) * 6
		c.Rect(28+d, 330-d, 152, 62, 8, "card")
	}
	c.Text(104, 356, "b mid", "Other replicas")
	c.Text(104, 375, "s muted mid", "standby: only a watch")
	c.Arrow("blue", true, 110, 226, 110, 314)
	c.Text(120, 268, "s muted", "watch")

	// The pod.
	c.Rect(288, 16, 536, 392, 10, "pod")
	c.Text(304, 38, "h", "Pod")
	c.Text(340, 38, "muted", "one of three replicas; this one leads")

	c.Rect(304, 56, 136, 336, 8, "card")
	c.Lines(372, 80, 18, "b mid", "lease-sidecar")
	c.Lines(372, 98, 16, "s muted mid", "native sidecar")
	for _, does := range []struct {
		y      float64
		number string
		lines  []string
	}{
		{150, "1", []string{"campaigns for", "the Lease"}},
		{204, "2", []string{"renews it, while", "this replica leads"}},
		{258, "3", []string{"says who leads,", "and until when"}},
		{312, "4", []string{"releases it once", "the work has", "stopped"}},
	} {
		c.Text(316, does.y, "b blue", does.number)
		c.Lines(332, does.y, 16, "s", does.lines...)
	}

	c.Rect(696, 56, 112, 336, 8, "card")
	c.Text(752, 80, "b mid", "Your container")
	c.Lines(752, 98, 16, "s muted mid", "any language,", "no client library,", "no token for", "the API server")
	c.Rect(703, 172, 98, 58, 6, "green-fill")
	c.Lines(752, 196, 18, "b mid", "works while", "it leads")

	// Between them: the volume and the loopback.
	c.Rect(484, 56, 168, 188, 8, "card")
	c.Text(568, 78, "b mid", "Shared volume")
	for i, f := range []struct{ name, is string }{
		{"state.json", "who leads, until when"},
		{"leader", "only while leading"},
		{"run.lock", "locked while at work"},
	} {
		y := 90 + float64(i)*50
		c.Rect(494, y, 148, 42, 5, "box")
		c.Text(568, y+17, "m b mid", f.name)
		c.Text(568, y+34, "s muted mid", f.is)
	}
	c.Arrow("green", false, 440, 111, 492, 111)
	c.Arrow("green", false, 440, 161, 492, 161)
	c.Arrow("amber", true, 492, 211, 442, 211)
	c.Text(462, 205, "s amber mid", "sees")
	c.Text(462, 105, "s green mid", "writes")
	c.Arrow("green", false, 642, 111, 694, 111)
	c.Arrow("green", false, 642, 161, 694, 161)
	c.Text(674, 105, "s green mid", "reads")
	c.Arrow("amber", false, 694, 211, 644, 211)
	c.Text(674, 205, "s amber mid", "holds")

	c.Rect(484, 262, 168, 130, 8, "card")
	c.Text(568, 284, "b mid", "HTTP on the loopback")
	c.Text(568, 302, "m mid", "127.0.0.1:4040")
	for i, request := range []struct{ method, path, answer string }{
		{"GET", "/leader", "200, 503"}, {"GET", "/events", ""}, {"POST", "/step-down", ""}, {"POST", "/drained", ""},
	} {
		y := 326 + float64(i)*18
		c.Text(496, y, "m", request.method)
		c.Text(532, y, "m", request.path)
		c.Text(642, y, "s muted end", request.answer)
	}
	c.Arrow("green", false, 440, 327, 482, 327)
	c.Text(461, 321, "s green mid", "serves")
	c.Arrow("green", false, 696, 327, 654, 327)
	c.Text(674, 321, "s green mid", "asks")

	// The sidecar and the API server.
	c.Arrow("blue", false, 304, 130, 192, 130)
	c.Text(246, 112, "s mid", "renews")
	c.Text(246, 125, "s muted mid", "every 3 s")
	c.Arrow("blue", true, 190, 168, 302, 168)
	c.Text(246, 184, "s muted mid", "watch")
}
