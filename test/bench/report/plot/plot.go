// Package plot draws the figures of a run: as pictures for a light and for a dark page, with their text as text.
//
// It is written by hand, on the canvas of docs/pictures: plotting libraries give neither classes, by which a picture has two themes,
// nor titles and descriptions, and their files are several times as large.
//
// The hue says whose elector it is, and the dashes that it has the short timings; so a picture is also read without colours.
package plot

import (
	"fmt"
	"html"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// width is that of every plot, in pixels: GitHub shows it at its full size.
const width = 760

// Pictures returns all plots of the run.
func Pictures(run result.Run) []svg.Picture {
	all := []svg.Picture{handovers(run), parts(run), faults(run), requests(run), weight(run), elections(run)}
	for i := range all {
		all[i].Width, all[i].Style = width, style
		if all[i].Draw == nil {
			empty(&all[i])
		}
	}
	return all
}

// empty draws a picture of which nothing was measured.
func empty(p *svg.Picture) {
	title := p.Title
	p.Height, p.Desc = 96, "Nothing of it was measured."
	p.Draw = func(c *svg.Canvas) {
		heading(c, title, "not measured")
	}
}

func heading(c *svg.Canvas, title, below string) {
	c.Text(16, 28, "h", title)
	c.Text(16, 47, "s muted", below)
}

// titled writes a title with its unit.
func titled(c *svg.Canvas, x, y float64, title, unit string) {
	c.Raw(`<text x="%s" y="%s" class="s"><tspan class="b">%s</tspan> <tspan class="muted">%s</tspan></text>`, svg.N(x), svg.N(y),
		html.EscapeString(title), html.EscapeString(unit))
}

// look is how a subject is drawn.
type look struct {
	class  string
	dashed bool
}

var looks = map[result.Subject]look{
	result.Sidecar: {"ours", false}, result.Short: {"ours", true}, result.ClientGo: {"theirs", false}, result.Tuned: {"theirs", true},
	result.Before: {"earlier", true}, result.Floor: {"least", false},
}

func (l look) line() string {
	if l.dashed {
		return l.class + "-line dashed"
	}
	return l.class + "-line"
}

// hues are the colours of a theme: every kind of colour vision distinguishes blue and orange.
type hues struct{ ours, theirs, earlier, least, overlap string }

func huesOf(t svg.Theme) hues {
	if t.Name == "dark" {
		return hues{ours: "#6cb0ff", theirs: "#f0883e", earlier: "#b18cf2", least: "#9ea7b3", overlap: "#ff8279"}
	}
	return hues{ours: "#0757ba", theirs: "#b34a00", earlier: "#6a3fb5", least: "#57606a", overlap: "#b3202c"}
}

func style(t svg.Theme) string {
	h := huesOf(t)
	var b strings.Builder
	for _, c := range [][2]string{{"ours", h.ours}, {"theirs", h.theirs}, {"earlier", h.earlier}, {"least", h.least}} {
		fmt.Fprintf(&b, ".%s{fill:%s}.%[1]s-line{stroke:%[2]s;fill:none;stroke-width:2}", c[0], c[1])
	}
	fmt.Fprintf(&b, "\n.overlap{fill:%s}.dashed{stroke-dasharray:6 3}.grid{stroke:%s;fill:none;opacity:.6}.x{font-size:11px}\n", h.overlap, t.Line)
	return b.String()
}

// legend writes one line for each subject, from the point on to the right.
func legend(c *svg.Canvas, x, y float64, all []result.Subject) {
	for _, who := range all {
		l := looks[who]
		c.Line(l.line(), x, y-4, x+22, y-4)
		c.Text(x+28, y, "s", string(who))
		x += 44 + 6.6*float64(len(who))
	}
}

// present returns which of the subjects have values of any of the figures.
func present(run result.Run, among []result.Subject, figures ...string) []result.Subject {
	var found []result.Subject
	for _, who := range among {
		for _, figure := range figures {
			if has(run, figure, who) {
				found = append(found, who)
				break
			}
		}
	}
	return found
}

func has(run result.Run, figure string, who result.Subject) bool {
	for _, at := range run.Places(figure) {
		if _, ok := run.Find(figure, who, at); ok {
			return true
		}
	}
	return false
}
