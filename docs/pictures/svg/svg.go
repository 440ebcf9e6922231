// Package svg draws pictures of documents: each as an SVG for a light page and one for a dark page, which a <picture> with
// prefers-color-scheme chooses from. A text stays text, and a picture has a title and a description for those who do not see it.
package svg

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Picture is one picture, which is drawn once for each theme.
type Picture struct {
	// Name is the beginning of the names of its files.
	Name string
	// Width and Height are in pixels.
	Width, Height int
	// Title and Desc are for those who do not see the picture: what it is, and all that it shows.
	Title, Desc string
	// Style returns rules for the classes that only this picture uses; nil for none.
	Style func(Theme) string
	// Draw draws it.
	Draw func(*Canvas)
}

// Write draws a picture in every theme into a directory, as NAME-light.svg and NAME-dark.svg.
func (p Picture) Write(dir string) error {
	for _, t := range Themes {
		if err := os.WriteFile(filepath.Join(dir, p.Name+"-"+t.Name+".svg"), []byte(p.SVG(t)), 0o644); err != nil {
			return fmt.Errorf("write the picture: %w", err)
		}
	}
	return nil
}

// SVG draws the picture in a theme.
func (p Picture) SVG(t Theme) string {
	var c Canvas
	p.Draw(&c)
	id := p.Name + "-" + t.Name
	style := t.style()
	if p.Style != nil {
		style += p.Style(t)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %d" role="img" aria-labelledby="%[3]s-title %[3]s-desc">`+"\n",
		p.Width, p.Height, id)
	fmt.Fprintf(&b, "<title id=\"%s-title\">%s</title>\n<desc id=\"%[1]s-desc\">%[3]s</desc>\n", id, html.EscapeString(p.Title), html.EscapeString(p.Desc))
	fmt.Fprintf(&b, "<style>\n%s</style>\n", style)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="8"/>`+"\n%s</svg>\n", p.Width, p.Height, c.b.String())
	return b.String()
}

// Canvas collects the elements of one picture.
type Canvas struct{ b strings.Builder }

// N writes a coordinate in as few characters as a tenth of a pixel needs.
func N(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }

// Raw adds elements that are written out.
func (c *Canvas) Raw(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

// Text writes a line of text with its baseline at y.
func (c *Canvas) Text(x, y float64, class, s string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s"`, N(x), N(y))
	if class != "" {
		fmt.Fprintf(&c.b, ` class="%s"`, class)
	}
	fmt.Fprintf(&c.b, ">%s</text>\n", html.EscapeString(s))
}

// Lines writes several lines of text below each other.
func (c *Canvas) Lines(x, y, step float64, class string, all ...string) {
	for i, s := range all {
		c.Text(x, y+float64(i)*step, class, s)
	}
}

// Rect draws a rectangle whose corners have the radius r.
func (c *Canvas) Rect(x, y, w, h, r float64, class string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s"`, N(x), N(y), N(w), N(h))
	if r > 0 {
		fmt.Fprintf(&c.b, ` rx="%s"`, N(r))
	}
	fmt.Fprintf(&c.b, " class=\"%s\"/>\n", class)
}

// Circle draws a circle around a point.
func (c *Canvas) Circle(x, y, r float64, class string) {
	fmt.Fprintf(&c.b, "<circle cx=\"%s\" cy=\"%s\" r=\"%s\" class=\"%s\"/>\n", N(x), N(y), N(r), class)
}

// Line draws a line through the points, given as x and y in turn.
func (c *Canvas) Line(class string, points ...float64) {
	var d strings.Builder
	for i := 0; i+1 < len(points); i += 2 {
		d.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + N(points[i]) + " " + N(points[i+1]))
	}
	fmt.Fprintf(&c.b, "<path class=\"%s\" d=\"%s\"/>\n", class, d.String())
}

// Arrow draws a line whose last point has a head; the colour is that of the classes COLOUR and COLOUR-line.
func (c *Canvas) Arrow(colour string, dashed bool, points ...float64) {
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
	c.Line(class, points...)
	fmt.Fprintf(&c.b, "<path class=\"%s\" d=\"M%s %sL%s %sL%s %sZ\"/>\n", colour,
		N(x), N(y), N(bx-dy*half), N(by+dx*half), N(bx+dy*half), N(by-dx*half))
}

// Span draws a line with a head at both ends, from x1 to x2.
func (c *Canvas) Span(colour string, x1, x2, y float64) {
	middle := (x1 + x2) / 2
	c.Arrow(colour, false, middle, y, x1, y)
	c.Arrow(colour, false, middle, y, x2, y)
}
