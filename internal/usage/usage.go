// Package usage writes the help texts, the manual page and the reference page. All three are templates over the same data, which
// comes from urfave's commands and the table of options.
//
// It promises that each option and each visible command is in all three, and that the manual page is valid roff. It does not
// wrap lines: the commands' own texts keep a help text within 100 columns.
package usage

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/options"
)

//go:embed help.tmpl manual.tmpl reference.tmpl
var files embed.FS

// templates are parsed when a text is asked for: a sidecar and its guard need none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"upper": strings.ToUpper, "indent": indent, "roff": roff, "cell": cell,
	}).ParseFS(files, "*.tmpl"))
})

// urfave calls it for --help and the help command.
func init() {
	cli.HelpPrinter = func(w io.Writer, _ string, of any) {
		if command, ok := of.(*cli.Command); ok {
			_ = write(w, "help.tmpl", pageOf(command)) // a reader that has gone needs no help
			return
		}
		_ = write(w, "help.tmpl", pageOfAll(of.(*cli.App)))
	}
}

// Manual writes the manual page, in roff.
func Manual(app *cli.App) error { return write(app.Writer, "manual.tmpl", pageOfAll(app)) }

// Reference writes the reference page, in Markdown.
func Reference(app *cli.App) error { return write(app.Writer, "reference.tmpl", pageOfAll(app)) }

// page is the data about one command, or about all.
type page struct {
	Name, Usage string
	Synopsis    []string // the command lines that it takes
	Sections    []section
	Groups      []group
	Commands    []page
	Version     string
}

// section is a part of a description. Literal text is shown as it stands.
type section struct {
	Title, Text string
	Literal     bool
}

// Reference reports whether a section is looked up rather than read.
func (s section) Reference() bool { return s.Title == "Environment" || s.Title == "Exit status" }

// group is options under one title.
type group struct {
	Title string
	Rows  []row
}

// row is one option. Other is its other names, with dashes.
type row struct {
	Synopsis, Usage, Default, Detail, Variable string
	Other                                      []string
}

func pageOfAll(app *cli.App) page {
	p := page{
		Name: app.HelpName, Usage: app.Usage, Synopsis: lines(app.UsageText), Sections: sections(app.Description),
		Groups: groups(app.VisibleFlags()), Version: app.Version,
	}
	for _, command := range app.VisibleCommands() {
		one := pageOf(command)
		one.Name = app.HelpName + " " + command.Name // urfave sets it only for the command that runs
		p.Commands = append(p.Commands, one)
	}
	return p
}

func pageOf(command *cli.Command) page {
	p := page{
		Name: command.HelpName, Usage: command.Usage, Synopsis: lines(command.UsageText), Sections: sections(command.Description),
		Groups: groups(command.VisibleFlags()),
	}
	return p
}

// lines returns the lines of a text.
func lines(text string) []string { return slices.Collect(strings.SplitSeq(text, "\n")) }

// sections splits a description: a blank line, and a line in capitals with a colon, begin the next section. An indented
// section is literal.
func sections(description string) []section {
	if description == "" {
		return nil
	}
	var all []section
	for paragraph := range strings.SplitSeq(description, "\n\n") {
		s := section{Title: "Description", Text: paragraph}
		if first, rest, ok := strings.Cut(paragraph, ":\n"); ok && first == strings.ToUpper(first) {
			s = section{Title: first[:1] + strings.ToLower(first[1:]), Text: rest}
		}
		if s.Literal = strings.HasPrefix(s.Text, " "); s.Literal {
			s.Text = strings.ReplaceAll(s.Text[2:], "\n  ", "\n")
		}
		all = append(all, s)
	}
	return all
}

// groups returns the options in their order. Options without a group join the last one.
func groups(flags []cli.Flag) []group {
	var all []group
	for _, flag := range flags {
		r, title := rowOf(flag)
		if all == nil || title != "" && title != all[len(all)-1].Title {
			all = append(all, group{Title: title})
		}
		last := &all[len(all)-1]
		last.Rows = append(last.Rows, r)
	}
	if all != nil && all[0].Title == "" {
		all[0].Title = "Flags"
	}
	return all
}

func rowOf(flag cli.Flag) (r row, title string) {
	ours, ok := flag.(*options.Flag)
	if !ok { // --help and the like
		var names []string
		for _, name := range flag.Names() {
			names = append(names, dashed(name))
		}
		return row{Synopsis: strings.Join(names, ", "), Usage: flag.(cli.DocGenerationFlag).GetUsage()}, ""
	}
	o := ours.Option
	r = row{Synopsis: o.Synopsis(), Usage: o.Usage, Default: o.DefaultText(), Detail: o.Detail, Variable: o.Env()}
	for _, name := range flag.Names()[1:] {
		if len(name) > 1 { // else it is in the synopsis
			r.Other = append(r.Other, dashed(name))
		}
	}
	return r, ours.Category
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Short returns the name of the command without the program's.
func (p page) Short() string { return p.Name[strings.LastIndex(p.Name, " ")+1:] }

// Wide returns the width of the left column.
func (p page) Wide() int {
	wide := 0
	for _, g := range p.Groups {
		for _, r := range g.Rows {
			wide = max(wide, len(r.Synopsis))
		}
	}
	for _, command := range p.Commands {
		wide = max(wide, len(command.Short()))
	}
	return wide
}

// Column returns a text as the left column of a help text.
func (p page) Column(text string) string { return fmt.Sprintf("%-*s", p.Wide(), text) }

func write(w io.Writer, name string, p page) error {
	if err := templates().ExecuteTemplate(w, name, p); err != nil {
		return fmt.Errorf("write what was asked for: %w", err)
	}
	return nil
}

// indent indents each line.
func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// roff escapes text for roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(text)
	return strings.ReplaceAll("\n"+text, "\n.", "\n\\&.")[1:]
}

// cell escapes text for a cell of a table in Markdown.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(text) }
