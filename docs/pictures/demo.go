package main

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
)

// The measures of a terminal's cell in pixels, and where the first one is.
const (
	cellWidth, cellHeight = 8.4, 19.0
	screenLeft, screenTop = 20.0, 46.0
	screenColumns         = 80
)

// demoPicture draws a captured screen.
func demoPicture(captured string) (svg.Picture, error) {
	screen, err := parse(captured)
	if err != nil {
		return svg.Picture{}, fmt.Errorf("read the capture: %w", err)
	}
	var all []string
	for _, row := range screen {
		var line strings.Builder
		for _, r := range row {
			line.WriteString(strings.Map(spoken, r.text))
		}
		all = append(all, strings.TrimSpace(line.String()))
	}
	return svg.Picture{
		Name: "demo", Width: int(2*screenLeft + screenColumns*cellWidth), Height: int(screenTop + float64(len(screen))*cellHeight + 8),
		Title: "lease-sidecar demo in a terminal, at its end",
		Desc:  strings.Join(strings.Fields(strings.Join(all, " ")), " "),
		Draw:  func(c *svg.Canvas) { drawScreen(c, screen) },
	}, nil
}

// run is a stretch of one row of the screen in one style.
type run struct {
	column int
	text   string
	style  style
}

// style is how a terminal writes: the classes of the text, and its colour.
type style struct {
	bold, dim bool
	colour    string
}

// colours are those of the terminal that the demo uses, by their number; 39 is the default.
var colours = map[string]string{"31": "red", "32": "green", "33": "amber", "34": "blue", "36": "blue", "39": "", "90": "muted"}

// parse reads text with the escape sequences of colours, as tmux captures a screen.
func parse(captured string) ([][]run, error) {
	var screen [][]run
	var now style
	for line := range strings.Lines(captured) {
		line = strings.TrimSuffix(line, "\n")
		var row []run
		for column := 0; line != ""; {
			if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
				numbers, after, ok := strings.Cut(rest, "m")
				if !ok {
					return nil, fmt.Errorf("an escape sequence without an end in %q", line)
				}
				for number := range strings.SplitSeq(numbers, ";") {
					if err := now.apply(number); err != nil {
						return nil, err
					}
				}
				line = after
				continue
			}
			text, _, _ := strings.Cut(line, "\x1b")
			row = append(row, run{column, text, now})
			column += utf8.RuneCountInString(text)
			line = line[len(text):]
		}
		screen = append(screen, row)
	}
	for len(screen) > 0 && blank(screen[len(screen)-1]) {
		screen = screen[:len(screen)-1]
	}
	for len(screen) > 0 && blank(screen[0]) {
		screen = screen[1:]
	}
	return screen, nil
}

func blank(row []run) bool {
	for _, r := range row {
		if strings.TrimSpace(r.text) != "" {
			return false
		}
	}
	return true
}

// apply follows one number of an escape sequence.
func (s *style) apply(number string) error {
	colour, known := colours[number]
	switch {
	case number == "" || number == "0":
		*s = style{}
	case number == "1":
		s.bold = true
	case number == "2":
		s.dim = true
	case number == "22":
		s.bold, s.dim = false, false
	case number == "49": // the default background
	case known:
		s.colour = colour
	default:
		return fmt.Errorf("the style %q is not known here: add it to docs/pictures/demo.go", number)
	}
	return nil
}

func (s style) class() string {
	class := "t"
	if s.bold {
		class += " b"
	}
	switch {
	case s.colour != "":
		class += " " + s.colour
	case s.dim:
		class += " muted"
	}
	return class
}

func drawScreen(c *svg.Canvas, screen [][]run) {
	width := 2*screenLeft + screenColumns*cellWidth
	height := screenTop + float64(len(screen))*cellHeight + 8
	c.Rect(0.5, 0.5, width-1, height-1, 8, "card")
	c.Line("line", 0, 32, width, 32)
	c.Text(screenLeft, 21, "m muted", "$ lease-sidecar demo")
	for y, row := range screen {
		for _, r := range row {
			cells(c, y, r)
		}
	}
}

// cells writes a run. Blocks and lines are drawn, as a font's own would leave gaps; each text is as wide as its cells, whatever
// font there is.
func cells(c *svg.Canvas, y int, r run) {
	top := screenTop + float64(y)*cellHeight
	column := r.column
	for text := r.text; text != ""; {
		first, _ := utf8.DecodeRuneInString(text)
		kind := drawn(first)
		length := strings.IndexFunc(text, func(r rune) bool { return drawn(r) != kind || kind != 0 && r != first })
		if length < 0 {
			length = len(text)
		}
		part := text[:length]
		text = text[length:]
		count := utf8.RuneCountInString(part)
		x, w := screenLeft+float64(column)*cellWidth, float64(count)*cellWidth
		column += count
		colour := r.style.colour
		if colour == "" {
			colour = "muted"
		}
		switch kind {
		case block:
			c.Rect(x, top+3, w, cellHeight-6, 0, colour)
		case shade:
			c.Raw(`<rect x="%s" y="%s" width="%s" height="%s" class="%s" opacity=".45"/>`, svg.N(x), svg.N(top+3), svg.N(w), svg.N(cellHeight-6), colour)
		case rule:
			c.Line(colour+"-line", x, top+cellHeight/2, x+w, top+cellHeight/2)
		default:
			phrases(c, x, top+14, r.style.class(), part)
		}
	}
}

// phrases writes a text, each phrase as wide as its cells; what is two spaces or more apart is written apart.
func phrases(c *svg.Canvas, x, y float64, class, text string) {
	for text != "" {
		trimmed := strings.TrimLeft(text, " ")
		x += float64(len(text)-len(trimmed)) * cellWidth
		part, rest, apart := strings.Cut(trimmed, "  ")
		if part != "" {
			w := float64(utf8.RuneCountInString(part)) * cellWidth
			c.Raw(`<text x="%s" y="%s" class="%s" textLength="%s" lengthAdjust="spacingAndGlyphs">%s</text>`, svg.N(x), svg.N(y), class, svg.N(w),
				html.EscapeString(part))
			x += w
		}
		if text = ""; apart {
			text = "  " + rest
		}
	}
}

// spoken leaves a space where a character is drawn: the picture's description is read aloud.
func spoken(r rune) rune {
	if drawn(r) != 0 {
		return ' '
	}
	return r
}

// kind is how a character is drawn; 0: as text.
type kind int

const (
	block kind = iota + 1
	shade
	rule
)

func drawn(r rune) kind {
	switch r {
	case '█', '▓', '■':
		return block
	case '░', '▒':
		return shade
	case '─', '━':
		return rule
	}
	return 0
}
