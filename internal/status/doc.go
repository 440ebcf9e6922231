// Package status shows the elections of a cluster, or of a directory: who leads each, since when, and how long the Lease is still
// valid; their members; and the Leases by which Kubernetes sees nodes and API servers. It reads, and never writes.
//
// It promises that an age without the mark ~ was measured: this process saw the write arrive, and counts by its own clock. An
// age with ~ is an estimate: the difference between the writer's clock and that of this machine, and never less than the time that
// was watched without a write. Whatever stands in a Lease, each row stays one line of printable characters.
//
// It does not promise that a leader still leads: its term ends some time before its Lease expires, and the Lease does not show when.
//
//	Source (kube.Selection, Directory) ── List, Watch ──▶ follow ──▶ Picture ──▶ Judge ──▶ Report ──▶ table, JSON, sentences
package status
