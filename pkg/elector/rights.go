package elector

import (
	"log/slog"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// remindEvery is how often the log repeats why this candidate cannot lead.
const remindEvery = 5 * time.Minute

// rights is what is known of this candidate's rights, and whether it could lead.
type rights struct {
	denied   map[verb]string // the refusals that stand, by what was refused, in the store's words
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

// refuse notes that the store does not allow the verb, grant that it does.
func (g *rights) refuse(v verb, err error) { g.denied[v.right()] = err.Error() }
func (g *rights) grant(v verb)             { delete(g.denied, v.right()) }

// seePeer takes the news that another candidate has written the Lease since: whoever grants rights grants them to all
// replicas, so an old refusal of ours is not held against this one any more. It reports whether there was one.
func (g *rights) seePeer(me string, r lease.Record) bool {
	if _, refused := g.denied[verbTake]; !refused || r.Holder == me || r.Holder == "" || r.Foreign() {
		return false
	}
	g.grant(verbTake)
	return true
}

// refused returns what is refused, in order, and in the store's words.
func (g *rights) refused() (names, words string) {
	var all []string
	for v := range g.denied {
		all = append(all, string(v))
	}
	slices.Sort(all)
	for i, v := range all {
		if i > 0 {
			names, words = names+", ", words+"; "
		}
		names, words = names+v, words+g.denied[verb(v)]
	}
	return names, words
}

// dueAt returns when the log is to be reminded; zero for never.
func (g *rights) dueAt() bootclock.Instant { return g.remindAt }

// checkRights says whether this candidate could lead, and repeats it in the log every few minutes where it could not. An
// outage takes nothing back. The right to watch is not needed for leading, only for being quick.
func (m *machine) checkRights(now moment) {
	g := &m.rights
	names, words := g.refused()
	switch {
	case names != "":
		m.out.unready = words
	case !m.know.read:
		m.out.unready = "the Lease has not been read yet"
		if trouble := m.effort.troubles[verbGet]; trouble != "" {
			m.out.unready += ": " + trouble
		}
	case !m.know.present && !g.able:
		m.out.unready = "the Lease does not exist, and has not been created yet"
	default:
		g.able = true
	}
	if names == "" {
		g.remindAt, g.reminded = 0, ""
		return
	}
	if names != g.reminded || !now.boot.Before(g.remindAt) {
		g.reminded, g.remindAt = names, now.boot.Add(remindEvery)
		m.note(slog.LevelWarn, "this replica cannot lead", reason("CannotLead"), slog.String("refused", names), slog.String("detail", words))
	}
}
