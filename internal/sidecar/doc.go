// Package sidecar is the sidecar as a value: [New] takes a [Config], and [Sidecar.Run] campaigns, signals and hands over
// until its context or POST /quitquitquit ends it. It runs on Linux only, and does not touch the process's signal handlers.
//
// It promises that everything Run has started has ended when Run returns, and that Run may be called again then. Packages
// elector, signals and stopwait say what is promised about the workload.
//
//	              ┌──────────── commands: step down, health, abandon ────────────┐
//	              ▼                                                               │
//	Store ──▶ Elector ── Leadership ──▶ publish ──▶ fan-out ──▶ signals ──▶ workload
//	              │                        ├──▶ sights  ──▶ Waiter               ▲
//	              └── drain ──▶ Waiter     └──▶ metrics                httpapi, health, child, process, sights
package sidecar
