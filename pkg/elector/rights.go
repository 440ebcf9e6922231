package elector

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// remindEvery is how often the log repeats why this candidate cannot lead, or that a request still fails.
const remindEvery = 5 * time.Minute

// rights is what is known of this candidate's rights, and whether it could lead.
type rights struct {
	denied   map[verb]string // the refusals that stand, by what was refused, in the store's text
	able     bool            // it once had all that it takes, as far as is known
	remindAt bootclock.Instant
	reminded string // what was refused, as last logged
}

// right returns what a verb needs: all writes but a create are updates.
func (v verb) right() verb {
	if v == verbRenew || v == verbRelease {
		return verbTake
	}
	return v
}

func (g *rights) refuse(v verb, err error) { g.denied[v.right()] = err.Error() }

func (g *rights) grant(v verb) {
	delete(g.denied, v.right())
	if len(g.denied) == 0 {
		g.reminded = ""
	}
}

// written takes the news that the store has carried out an update of ours. It also ends the refusal of a read before it: one rule
// grants both, and a holder, whose renewals go well, does not read. An API server that has just started refuses everything for a
// moment; a holder that it refused a read would count as not ready for the rest of its term.
func (g *rights) written() {
	g.grant(verbTake)
	g.grant(verbGet)
}

// mayNotRead reports whether a read was refused, and nothing has shown since that it is allowed.
func (g *rights) mayNotRead() bool {
	_, refused := g.denied[verbGet]
	return refused
}

// refused returns what is refused, in order, and the store's texts about it.
func (g *rights) refused() (names, texts string) {
	var verbs, why []string
	for _, v := range slices.Sorted(maps.Keys(g.denied)) {
		verbs, why = append(verbs, string(v)), append(why, g.denied[v])
	}
	return strings.Join(verbs, ", "), strings.Join(why, "; ")
}

// unready returns why this candidate could not lead; "" where it could. An outage takes nothing back. The right to watch is
// not needed for leading, only for being quick.
func (m *machine) unready() string {
	g := &m.rights
	names, texts := g.refused()
	switch {
	case names != "":
		return texts
	case !m.know.read && m.effort.troubles[verbGet].text != "":
		return "the Lease has not been read yet: " + m.effort.troubles[verbGet].text
	case !m.know.read:
		return "the Lease has not been read yet"
	case !m.know.present && !g.able:
		return "the Lease does not exist, and has not been created yet"
	}
	g.able = true
	return ""
}

// reminderDue returns when to log that this candidate cannot lead: at once when the refusals change, then every few minutes.
func (m *machine) reminderDue(now moment) bootclock.Instant {
	switch names, _ := m.rights.refused(); names {
	case "":
		return never
	case m.rights.reminded:
		return m.rights.remindAt
	}
	return now.boot
}

func (m *machine) remind(now moment) {
	names, texts := m.rights.refused()
	m.rights.reminded, m.rights.remindAt = names, now.boot.Add(remindEvery)
	m.warn("CannotLead", "this replica cannot lead", slog.String("refused", names), detail(texts))
}
