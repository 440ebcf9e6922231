// Package child runs a command only while this replica leads. It is both a signal and a sight: it applies each leadership,
// and it sees whether the command or any of its descendants is still alive.
//
// It promises:
//   - The command runs for one term, with that term's document in its environment.
//   - At a loss the command gets SIGTERM. It and all its descendants are dead half a kill margin after the last known
//     validUntil, even if the sidecar is killed or frozen: package guard enforces the deadline in a process of its own.
//   - A command that ends by itself ends the term: the replica stands by for a while, or the sidecar ends too.
//
// It does not promise to kill a command that may change its user.
//
//	leadership ── Apply ──▶ Child ── orders ──▶ guard ──▶ command ──▶ descendants
//	   State ◀──────────────┘ │ ▲                │
//	election ◀─ step down ────┘ └──── reports ───┘
//
// The package is for Linux.
package child
