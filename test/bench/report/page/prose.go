package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// summary is the first table of the page: the headlines of all sections.
func summary(run result.Run) string {
	var c columns
	c.head("what", "lease-sidecar", "client-go", "beside client-go, by the median", "target", "by")
	var all []catalog.Figure
	for _, section := range catalog.All() {
		for _, f := range section.Figures {
			if !f.Headline {
				continue
			}
			all = append(all, f)
			p, target := last(f, run)
			ours, theirs := p.Pair()
			c.row(p.name(), p.cell(run, ours), p.cell(run, theirs), p.ratio(run), target, "`"+p.Command()+"`")
		}
	}
	return c.b.String() + "\n" + misses(all, run)
}

// last returns the row of a figure in the first table: that of the greatest place of its sweep, with what came of the targets at all.
func last(f catalog.Figure, run result.Run) (place, string) {
	all := places(f, run)
	return all[len(all)-1], worst(f, run.Places(f.ID), run)
}

// cell is one subject in the first table.
func (p place) cell(run result.Run, who result.Subject) string {
	series, measured := run.Find(p.ID, who, p.at)
	switch {
	case measured:
		return spread(series)
	case slices.Contains(p.Subjects(), who):
		return notMeasured
	default:
		return none
	}
}

// Misses returns the figures that miss a target, and have to say why.
func Misses(run result.Run) []catalog.Figure {
	var all []catalog.Figure
	for _, section := range catalog.All() {
		for _, f := range section.Figures {
			if missed(f, run) {
				all = append(all, f)
			}
		}
	}
	return all
}

func missed(f catalog.Figure, run result.Run) bool {
	for _, p := range places(f, run) {
		if p.missed(run) {
			return true
		}
	}
	return false
}

func (p place) missed(run result.Run) bool {
	return slices.ContainsFunc(p.Targets, func(l catalog.Limit) bool {
		verdict, _, _ := l.Judge(run, p.ID, p.at)
		return verdict == catalog.Missed && (l.At == 0 || l.At == p.at)
	})
}

// misses lists why targets are missed, each reason once.
func misses(figures []catalog.Figure, run result.Run) string {
	var reasons []string
	titles := map[string][]string{}
	for _, f := range figures {
		if !missed(f, run) {
			continue
		}
		reason := f.Reason
		if reason == "" {
			reason = "no reason is known yet."
		}
		if titles[reason] == nil {
			reasons = append(reasons, reason)
		}
		titles[reason] = append(titles[reason], f.Title)
	}
	var b strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&b, "- **Missed**: %s: %s\n", strings.Join(titles[reason], "; "), reason)
	}
	if len(reasons) > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// notes lists what the benchmarks have noted beside values, each note once.
func notes(figures []catalog.Figure, run result.Run) string {
	var all []string
	of := map[string][]string{}
	for _, f := range figures {
		for _, s := range run.Series {
			if s.Figure != f.ID || s.Note == "" {
				continue
			}
			if of[s.Note] == nil {
				all = append(all, s.Note)
			}
			if who := fmt.Sprintf("%s, %s", f.Title, s.Subject); !slices.Contains(of[s.Note], who) {
				of[s.Note] = append(of[s.Note], who)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Notes of the benchmarks:\n\n")
	for _, note := range all {
		who := strings.Join(of[note], "; ")
		if n := len(of[note]); n > 2 {
			who = fmt.Sprintf("%s, and %d more", of[note][0], n-1)
		}
		fmt.Fprintf(&b, "- %s: %s.\n", who, strings.TrimSuffix(note, "."))
	}
	return b.String() + "\n"
}

// meanings lists what is measured, each sentence once.
func meanings(figures []catalog.Figure) string {
	var sentences []string
	titles := map[string][]string{}
	for _, f := range figures {
		if titles[f.What] == nil {
			sentences = append(sentences, f.What)
		}
		_, short, found := strings.Cut(f.Title, ": ")
		if !found {
			short = f.Title
		}
		if !slices.Contains(titles[f.What], short) {
			titles[f.What] = append(titles[f.What], short)
		}
	}
	var b strings.Builder
	b.WriteString("What is measured:\n\n")
	for _, sentence := range sentences {
		who := strings.Join(titles[sentence], ", ")
		if len(titles[sentence]) > 4 {
			who = "all"
		}
		fmt.Fprintf(&b, "- *%s*: %s\n", who, sentence)
	}
	return b.String() + "\n"
}

// commands is the line with the commands that measure a section again.
func commands(figures []catalog.Figure) string {
	var all []string
	for _, f := range figures {
		if command := "`" + f.Command() + "`"; !slices.Contains(all, command) {
			all = append(all, command)
		}
	}
	return "By " + strings.Join(all, ", ") + ".\n"
}
