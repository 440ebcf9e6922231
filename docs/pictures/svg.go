package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// theme gives the colours of a picture. Each ink is read on the page and on a card, except line and faint, which no text has.
type theme struct {
	name             string
	page, card, line string
	ink, muted       string
	green, blue, red string
	amber            string
	// greenFill, blueFill and amberFill are behind text in ink.
	greenFill, blueFill, amberFill string
}

var themes = []theme{
	{
		name: "light", page: "#ffffff", card: "#f6f8fa", line: "#c4ccd4", ink: "#1f2328", muted: "#57606a",
		green: "#116b2d", blue: "#0757ba", red: "#b3202c", amber: "#7d5200",
		greenFill: "#d3f3db", blueFill: "#dbecff", amberFill: "#fbeaba",
	},
	{
		name: "dark", page: "#0d1117", card: "#161b22", line: "#444c56", ink: "#f0f6fc", muted: "#9ea7b3",
		green: "#4cc764", blue: "#6cb0ff", red: "#ff8279", amber: "#e0ac3a",
		greenFill: "#12422a", blueFill: "#123460", amberFill: "#4d3a08",
	},
}

const (
	sans = "system-ui,-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif"
	mono = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace"
)

// canvas collects the elements of one picture.
type canvas struct{ b strings.Builder }

// svg draws the picture in a theme.
func (p picture) svg(t theme) string {
	var c canvas
	p.draw(&c)
	id := p.name + "-" + t.name
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %d" role="img" aria-labelledby="%[3]s-title %[3]s-desc">`+"\n",
		p.width, p.height, id)
	fmt.Fprintf(&b, "<title id=\"%s-title\">%s</title>\n<desc id=\"%[1]s-desc\">%[3]s</desc>\n", id, html.EscapeString(p.title), html.EscapeString(p.desc))
	fmt.Fprintf(&b, "<style>\n%s</style>\n", t.style())
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="8"/>`+"\n%s</svg>\n", p.width, p.height, c.b.String())
	return b.String()
}

// style returns the rules for the classes that the pictures use.
func (t theme) style() string {
	var b strings.Builder
	fmt.Fprintf(&b, "text{font:13px %s;fill:%s}\n", sans, t.ink)
	fmt.Fprintf(&b, ".h{font-weight:600;font-size:14px}.s{font-size:12px}.m{font-family:%s;font-size:12.5px}.t{font:14px %[1]s;white-space:pre}\n", mono)
	fmt.Fprintf(&b, ".b{font-weight:600}.mid{text-anchor:middle}.end{text-anchor:end}.halo{paint-order:stroke;stroke:%s;stroke-width:5px}\n", t.page)
	fmt.Fprintf(&b, ".page{fill:%s}.card{fill:%s;stroke:%s}.box{fill:%[1]s;stroke:%[3]s}.pod{fill:none;stroke:%[4]s;stroke-dasharray:6 4}\n", t.page, t.card, t.line, t.muted)
	fmt.Fprintf(&b, ".muted{fill:%s}.line{stroke:%s;fill:none}.dash{stroke-dasharray:4 4}\n", t.muted, t.line)
	for _, c := range []struct{ name, colour, fill string }{
		{"green", t.green, t.greenFill}, {"blue", t.blue, t.blueFill}, {"amber", t.amber, t.amberFill},
	} {
		fmt.Fprintf(&b, ".%s{fill:%s}.%[1]s-line{stroke:%[2]s;fill:none;stroke-width:1.5}.%[1]s-fill{fill:%[3]s;stroke:%[2]s}\n", c.name, c.colour, c.fill)
	}
	fmt.Fprintf(&b, ".red{fill:%s}.red-line{stroke:%[1]s;fill:none;stroke-width:1.5}.muted-line{stroke:%s;fill:none}\n", t.red, t.muted)
	return b.String()
}

// n writes a coordinate in as few characters as a tenth of a pixel needs.
func n(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }

// text writes a line of text with its baseline at y.
func (c *canvas) text(x, y float64, class, s string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s"`, n(x), n(y))
	if class != "" {
		fmt.Fprintf(&c.b, ` class="%s"`, class)
	}
	fmt.Fprintf(&c.b, ">%s</text>\n", html.EscapeString(s))
}

// lines writes several lines of text below each other.
func (c *canvas) lines(x, y, step float64, class string, all ...string) {
	for i, s := range all {
		c.text(x, y+float64(i)*step, class, s)
	}
}

func (c *canvas) rect(x, y, w, h, r float64, class string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s"`, n(x), n(y), n(w), n(h))
	if r > 0 {
		fmt.Fprintf(&c.b, ` rx="%s"`, n(r))
	}
	fmt.Fprintf(&c.b, " class=\"%s\"/>\n", class)
}

// line draws a line through the points, given as x and y in turn.
func (c *canvas) line(class string, points ...float64) {
	var d strings.Builder
	for i := 0; i+1 < len(points); i += 2 {
		d.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + n(points[i]) + " " + n(points[i+1]))
	}
	fmt.Fprintf(&c.b, "<path class=\"%s\" d=\"%s\"/>\n", class, d.String())
}

// arrow draws a line whose last point has a head; the colour is that of the classes COLOUR and COLOUR-line.
func (c *canvas) arrow(colour string, dashed bool, points ...float64) {
	const length, half = 8.0, 3.5
	last := len(points) - 2
	x, y := points[last], points[last+1]
	dx, dy := x-points[last-2], y-points[last-1]
	l := math.Hypot(dx, dy)
	dx, dy = dx/l, dy/l
	bx, by := x-dx*length, y-dy*length // the middle of the head's base
	points[last], points[last+1] = bx, by
	class := colour + "-line"
	if dashed {
		class += " dash"
	}
	c.line(class, points...)
	fmt.Fprintf(&c.b, "<path class=\"%s\" d=\"M%s %sL%s %sL%s %sZ\"/>\n", colour,
		n(x), n(y), n(bx-dy*half), n(by+dx*half), n(bx+dy*half), n(by-dx*half))
}

// span draws a line with a head at both ends, from x1 to x2.
func (c *canvas) span(colour string, x1, x2, y float64) {
	middle := (x1 + x2) / 2
	c.arrow(colour, false, middle, y, x1, y)
	c.arrow(colour, false, middle, y, x2, y)
}
