package status

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// How kubectl aligns its columns: a column is as wide as its widest cell and 3 spaces, and at least 6. The last has no padding.
const (
	columnPadding = 3
	columnLeast   = 6
	// columnWatched is the least where rows follow later: any cell may become <none>.
	columnWatched = len("<none>") + columnPadding
)

// grid prints rows in columns as kubectl does. Later prints have at least the widths of the first, so that the rows that a watch adds stay
// below their columns. least is the least width of a column, with its padding.
type grid struct {
	widths []int
	least  int
}

// print writes rows of equal length.
func (g *grid) print(w io.Writer, rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(g.widths) {
				g.widths = append(g.widths, 0)
			}
			g.widths[i] = max(g.widths[i], utf8.RuneCountInString(cell)+columnPadding, columnLeast, g.least)
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", g.widths[i]-utf8.RuneCountInString(cell)))
			}
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
