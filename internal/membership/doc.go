// Package membership lets the replicas of an election know one another. Each keeps an identity Lease of its own alive and
// watches those of the others, as kubelets and API servers do.
//
// It promises that a member counts as live only while this replica itself sees its Lease change, by the boot clock: no time
// that another machine wrote is compared with a clock. It promises that trouble in it never touches the election, which learns
// nothing but whom to prefer: it has goroutines, connections and a budget of requests of its own. It does not promise that two
// replicas see the same members at one instant, nor that what a member says of itself is true.
//
//	beat   ── own Lease: join, renew, leave ──▶ lease.Members ◀── other members
//	follow ◀── one list, one watch ────────────────┘
//	  └──▶ Roster ──▶ choice ──▶ elector.Prefer
//	          ├────▶ document ──▶ /members, members.json, /events
//	          └────▶ sweep (leader only) ──▶ DELETE of what expired long ago
package membership
