// Package fencing runs the code of docs/how-to/fencing.md and docs/how-to/work-through-a-queue.md: resources that refuse the writes of
// an older term, on the real programs. It judges by what is in the resource in the end.
//
//	docs/how-to/fencing.md ── named code blocks ──▶ writers (processes) ──▶ PostgreSQL, Redis, versitygw (S3), orders.py
//	two sidecars, one Lease ── token ──▶ a writer that is frozen before or in its write ──▶ late: refused
//	a queue with two workers, and a provider that knows keys ── every payment once
//	the same code without its guard ──▶ late: it lands, or the test could not fail
//
// It does not promise anything of a resource's replication or restore.
package fencing
