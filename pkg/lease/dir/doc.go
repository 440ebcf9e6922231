// Package dir keeps Leases in a directory of one machine, for laptops, compose files, systemd units, tests and the demo: the
// same Lease object, as JSON, one file a Lease.
//
// It promises what the Kubernetes API promises the election: compare-and-swap on UID and version, versions that rise over
// deletion and restart, and a watch that learns of every newest state. Edits and deletions by hand count as writes: the next
// process that looks gives them a version. It does not keep history: a watch may skip states that were replaced before it
// looked. It does not work across machines, so it refuses network file systems. Every candidate must see the same directory
// and may write in it: whoever can write there can make itself leader.
//
// The directory's owner and mode decide who may take part. One that is missing is made for this user alone (0700). For
// containers with several user IDs, make it yourself, writable for all of them and without the sticky bit; the files get the
// directory's read and write permission.
//
//	PATH/default.acme-752b7817f6.json          the Lease: read it, edit it, remove it
//	PATH/.default.acme-752b7817f6.ledger.json  the highest version, the last state seen, the last deletion
//	PATH/.default.acme-752b7817f6.lock         held (flock) around every read, compare and write
//
// A process stopped while it holds the lock (for about a millisecond a write) holds the others up until it goes on or ends.
// Nobody is elected in the meantime, and no term outlives its deadline.
package dir
