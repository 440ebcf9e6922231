package svg

import (
	"fmt"
	"strings"
)

// Theme gives the colours of a picture. Each ink is read on the page and on a card, except Line, which no text has.
type Theme struct {
	// Name is the theme's part of the names of files.
	Name string
	// Page and Card are grounds, and Line is that of edges and grids.
	Page, Card, Line string
	// Ink is that of text, and Muted of text that says less.
	Ink, Muted string
	// Green, Blue, Red and Amber are inks, too.
	Green, Blue, Red, Amber string
	// GreenFill, BlueFill and AmberFill are behind text in ink.
	GreenFill, BlueFill, AmberFill string
}

// Themes are the two themes that every picture is drawn in.
var Themes = []Theme{
	{
		Name: "light", Page: "#ffffff", Card: "#f6f8fa", Line: "#c4ccd4", Ink: "#1f2328", Muted: "#57606a",
		Green: "#116b2d", Blue: "#0757ba", Red: "#b3202c", Amber: "#7d5200",
		GreenFill: "#d3f3db", BlueFill: "#dbecff", AmberFill: "#fbeaba",
	},
	{
		Name: "dark", Page: "#0d1117", Card: "#161b22", Line: "#444c56", Ink: "#f0f6fc", Muted: "#9ea7b3",
		Green: "#4cc764", Blue: "#6cb0ff", Red: "#ff8279", Amber: "#e0ac3a",
		GreenFill: "#12422a", BlueFill: "#123460", AmberFill: "#4d3a08",
	},
}

const (
	sans = "system-ui,-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif"
	mono = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace"
)

// style returns the rules for the classes that the pictures use.
func (t Theme) style() string {
	var b strings.Builder
	fmt.Fprintf(&b, "text{font:13px %s;fill:%s}\n", sans, t.Ink)
	fmt.Fprintf(&b, ".h{font-weight:600;font-size:14px}.s{font-size:12px}.m{font-family:%s;font-size:12.5px}.t{font:14px %[1]s;white-space:pre}\n", mono)
	fmt.Fprintf(&b, ".b{font-weight:600}.mid{text-anchor:middle}.end{text-anchor:end}.halo{paint-order:stroke;stroke:%s;stroke-width:5px}\n", t.Page)
	fmt.Fprintf(&b, ".page{fill:%s}.card{fill:%s;stroke:%s}.box{fill:%[1]s;stroke:%[3]s}.pod{fill:none;stroke:%[4]s;stroke-dasharray:6 4}\n", t.Page, t.Card, t.Line, t.Muted)
	fmt.Fprintf(&b, ".muted{fill:%s}.line{stroke:%s;fill:none}.dash{stroke-dasharray:4 4}\n", t.Muted, t.Line)
	for _, c := range []struct{ name, colour, fill string }{
		{"green", t.Green, t.GreenFill}, {"blue", t.Blue, t.BlueFill}, {"amber", t.Amber, t.AmberFill},
	} {
		fmt.Fprintf(&b, ".%s{fill:%s}.%[1]s-line{stroke:%[2]s;fill:none;stroke-width:1.5}.%[1]s-fill{fill:%[3]s;stroke:%[2]s}\n", c.name, c.colour, c.fill)
	}
	fmt.Fprintf(&b, ".red{fill:%s}.red-line{stroke:%[1]s;fill:none;stroke-width:1.5}.muted-line{stroke:%s;fill:none}\n", t.Red, t.Muted)
	return b.String()
}
