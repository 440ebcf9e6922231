// Package sidecar is the sidecar as a value: [New] takes a [Config], and [Sidecar.Run] campaigns, signals and hands over until its
// context or POST /quitquitquit ends it. It runs on Linux only, and leaves the process's signal handlers alone. The command line is
// one caller; a test is another.
//
// It promises that everything which Run has started has ended when Run returns, and that a Sidecar may run again after that. It
// does not promise anything about the workload by itself: see packages elector, signals and stopwait for that.
//
//	              ┌──────────── commands: step down, health, abandon ────────────┐
//	              ▼                                                               │
//	Store ──▶ Elector ── Leadership ──▶ publish ──▶ fan-out ──▶ signals ──▶ workload
//	              │                        ├──▶ sights  ──▶ Waiter               ▲
//	              └── drain ──▶ Waiter     └──▶ metrics                httpapi, health, child, process, sights
package sidecar
