// Package child runs a command only while this replica leads. It is a signal, which gets every leadership, and a sight: it
// sees whether the command, or anything that the command has started, still lives.
//
// It promises that the command runs for one term, with that term's document in its environment; that at a loss it gets
// SIGTERM and, with all its descendants, is dead half a kill margin after the last validUntil that it could know of; that a
// sidecar which is killed or frozen does not keep it alive longer (package guard enforces the deadlines in a process of its
// own); and that a command which ends by itself ends the term: the replica stands by for a while, or the sidecar ends too.
// It does not promise that a command with the right to change its user can be killed.
//
//	leadership ── Apply ──▶ Child ── orders ──▶ guard ──▶ command ──▶ descendants
//	   State ◀──────────────┘ │ ▲                │
//	election ◀─ step down ────┘ └──── reports ───┘
//
// The package is for Linux, but for [FromDocument].
package child
