// Package child runs a program only while this replica leads: it is a signal, told each level, and the proof that the
// workload has stopped, which it sees.
//
// It promises that the program runs for one term, with that term's document in its environment; that at a loss it is told
// to stop and, with all its descendants, is dead half a kill margin after the last validUntil it could know of; that a
// sidecar which is killed or frozen does not keep it alive beyond that (package guard holds the deadlines in a process
// of its own); and that a program which ends by itself ends the term. It does not promise that a program with the right
// to change its user can be killed.
//
//	level ── Apply ──▶ Child ── orders ──▶ guard ──▶ program ──▶ descendants
//	Stopped ◀── gone ──┘  ▲                  │
//	                      └──── reports ─────┘
package child
