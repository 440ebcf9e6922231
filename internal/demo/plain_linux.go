package demo

import (
	"context"
	"fmt"
	"io"
)

// plain tells the play line by line, for logs and pipes.
type plain struct{ out io.Writer }

func (p plain) announce(how, whom string) {
	fmt.Fprintf(p.out, "now: %s (%s)\n", how, whom)
}

func (p plain) moved(m move) {
	fmt.Fprintf(p.out, "  %s -> %s in %s; nobody was told for %s", m.from, m.to, rounded(m.took), rounded(m.alone))
	if m.remark != "" {
		fmt.Fprintf(p.out, "; %s", m.remark)
	}
	fmt.Fprintln(p.out)
}

func (p plain) run(context.Context, *witness) {}

func (p plain) end(v verdict, moves []move) {
	fmt.Fprintln(p.out, v.sentence(len(moves)))
}

// sentence is the verdict in words.
func (v verdict) sentence(moves int) string {
	return fmt.Sprintf("%d of %d moves, %d looks: two led at once for %s, two worked at once for %s",
		moves, len(scenes)+1, v.looks, rounded(v.told), rounded(v.work))
}
