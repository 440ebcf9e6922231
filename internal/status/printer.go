package status

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is how the answer is written.
type Format string

// The formats, as kubectl names them.
const (
	Table Format = ""
	Wide  Format = "wide"
	JSON  Format = "json"
	YAML  Format = "yaml"
	Name  Format = "name"
)

// printer prints a report, and then the rows that have changed.
type printer struct {
	config Config
	tables *tables
	before map[key]shown
}

// shown is what was printed of a Lease: its row without what changes with every renewal, for comparison.
type shown struct {
	row      string
	election *Election
	beat     *Beat
}

func newPrinter(c Config) *printer {
	return &printer{config: c, tables: newTables(Show{Wide: c.Format == Wide, Namespaces: c.Namespaces, Watch: c.Watch}), before: map[key]shown{}}
}

// of returns what of a report is to be shown.
func (p *printer) of(r Report) Report {
	r = r.Select(p.config.Labels)
	if subject := p.config.Subject; subject != (Subject{}) {
		r.Elections = slices.DeleteFunc(slices.Clone(r.Elections), func(e Election) bool { return !subject.matches(e) })
		for _, beats := range []*[]Beat{&r.Members, &r.Nodes, &r.Servers, &r.Others} {
			*beats = slices.DeleteFunc(slices.Clone(*beats), func(b Beat) bool { return b.Object.Name != subject.Lease })
		}
		return r
	}
	if !p.shows(Sidecar) {
		r.Elections = nil
	}
	for kind, beats := range map[Kind]*[]Beat{MemberOf: &r.Members, Node: &r.Nodes, APIServer: &r.Servers, Other: &r.Others} {
		if !p.shows(kind) {
			*beats = nil
		}
	}
	return r
}

func (p *printer) shows(kind Kind) bool { return slices.Contains(p.config.Kinds, kind) }

// first prints the whole report.
func (p *printer) first(whole Report) error {
	r := p.of(whole)
	p.note(r)
	empty := len(p.before) == 0
	c := p.config
	switch {
	case empty && c.Subject != (Subject{}):
		return c.notFound()
	case c.Watch:
		return p.write(r)
	case c.Format == JSON:
		return writeJSON(c.Out, list{r.documents()})
	case c.Format == YAML:
		return writeYAML(c.Out, list{r.documents()})
	case empty:
		c.Warn(fmt.Errorf("nothing found in %s", c.Place))
		return nil
	case c.Format == Table && c.Subject != (Subject{}):
		return p.explain(whole, r)
	}
	return p.write(r)
}

// explain prints sentences on each election, and a row of anything else that has the name.
func (p *printer) explain(whole, r Report) error {
	for i, e := range r.Elections {
		text := strings.Join(whole.explain(e, p.config.Local), "\n") + "\n"
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(p.config.Out, text); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	r.Elections = nil
	return p.tables.print(p.config.Out, r)
}

// write prints a report in the format of a stream: rows, or one document after another.
func (p *printer) write(r Report) error {
	out := p.config.Out
	switch p.config.Format {
	case JSON, YAML:
		for _, d := range r.documents() {
			if err := p.writeOne(d); err != nil {
				return err
			}
		}
		return nil
	case Name:
		for _, d := range r.documents() {
			if _, err := fmt.Fprintln(out, "lease.coordination.k8s.io/"+printable(d.Name)); err != nil {
				return fmt.Errorf("write the names: %w", err)
			}
		}
		return nil
	}
	return p.tables.print(out, r)
}

func (p *printer) writeOne(d document) error {
	if p.config.Format == JSON {
		return writeJSON(p.config.Out, d)
	}
	if _, err := io.WriteString(p.config.Out, "---\n"); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return writeYAML(p.config.Out, d)
}

// changes prints what has changed since the last print, but for renewals.
func (p *printer) changes(whole Report) error {
	before := p.before
	r := p.of(whole)
	p.note(r)
	same := func(s Seen) bool { return before[keyOf(s.Object)].row == p.before[keyOf(s.Object)].row }
	r.Elections = slices.DeleteFunc(slices.Clone(r.Elections), func(e Election) bool { return same(e.Seen) })
	for _, beats := range []*[]Beat{&r.Members, &r.Nodes, &r.Servers, &r.Others} {
		*beats = slices.DeleteFunc(slices.Clone(*beats), func(b Beat) bool { return same(b.Seen) })
	}
	for k, was := range before {
		if _, still := p.before[k]; !still {
			r = r.withDeleted(was)
		}
	}
	return p.write(r)
}

// withDeleted adds a Lease that has gone.
func (r Report) withDeleted(was shown) Report {
	if was.election != nil {
		e := *was.election
		e.Deleted, e.Estimated = true, false
		e.Leader, e.State = "", Deleted
		r.Elections = append(r.Elections, e)
		return r
	}
	b := *was.beat
	b.Deleted, b.Estimated, b.Life = true, false, Gone
	beats := map[Kind]*[]Beat{MemberOf: &r.Members, Node: &r.Nodes, APIServer: &r.Servers, Other: &r.Others}[b.Kind]
	*beats = append(*beats, b)
	return r
}

// note remembers what a report shows of each Lease.
func (p *printer) note(r Report) {
	p.before = map[key]shown{}
	for _, e := range r.Elections {
		row := fmt.Sprint(e.Workload, e.Record.Holder, e.Record.AcquireTime, e.Record.Transitions, e.State, e.Marks, e.Members, e.Revision, e.Node)
		p.before[keyOf(e.Object)] = shown{row: row, election: &e}
	}
	for _, beats := range [][]Beat{r.Members, r.Nodes, r.Servers, r.Others} {
		for _, b := range beats {
			row := fmt.Sprint(b.Life, b.Leads, b.Record.Holder, b.Object.Labels)
			p.before[keyOf(b.Object)] = shown{row: row, beat: &b}
		}
	}
}
