package status

import "io"

// Show says which columns a table has.
type Show struct {
	// Wide adds the columns of -o wide, Namespaces that of the namespace. Watch says that rows follow later.
	Wide, Namespaces, Watch bool
}

// table prints one kind of rows: the header before the first rows, never again.
type table[T any] struct {
	columns []column[T]
	grid    grid
	headed  bool
}

func newTable[T any](columns []column[T], show Show) *table[T] {
	t := &table[T]{}
	if show.Watch {
		t.grid.least = columnWatched
	}
	for _, c := range columns {
		if (!c.wide || show.Wide) && (!c.spaced || show.Namespaces) {
			t.columns = append(t.columns, c)
		}
	}
	return t
}

// print prints rows. It prints nothing where there are none.
func (t *table[T]) print(w io.Writer, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	var cells [][]string
	if !t.headed {
		t.headed = true
		var header []string
		for _, c := range t.columns {
			header = append(header, c.title)
		}
		cells = append(cells, header)
	}
	for _, row := range rows {
		cells = append(cells, t.cells(row))
	}
	return t.grid.print(w, cells)
}

// cells returns a row's cells. Everything that somebody may have written passes here.
func (t *table[T]) cells(row T) []string {
	all := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		all = append(all, printable(c.cell(row)))
	}
	return all
}

// tables are the tables of all kinds.
type tables struct {
	elections *table[Election]
	members   *table[Beat]
	nodes     *table[Beat]
	servers   *table[Beat]
	others    *table[Beat]

	printed bool
}

func newTables(show Show) *tables {
	return &tables{
		elections: newTable(electionColumns, show), members: newTable(memberColumns, show), nodes: newTable(nodeColumns, show),
		servers: newTable(serverColumns, show), others: newTable(otherColumns, show),
	}
}

// print prints a report, with a blank line between kinds as kubectl has it.
func (t *tables) print(w io.Writer, r Report) error {
	if err := part(t, w, t.elections, r.Elections); err != nil {
		return err
	}
	for _, p := range []struct {
		table *table[Beat]
		rows  []Beat
	}{{t.members, r.Members}, {t.nodes, r.Nodes}, {t.servers, r.Servers}, {t.others, r.Others}} {
		if err := part(t, w, p.table, p.rows); err != nil {
			return err
		}
	}
	return nil
}

func part[T any](all *tables, w io.Writer, t *table[T], rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	if all.printed && !t.headed {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	all.printed = true
	return t.print(w, rows)
}
