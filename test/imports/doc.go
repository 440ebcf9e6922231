// Package imports holds the picture of which package may import which, as a test.
//
//	cmd ──► signals, control ──► elector ──► lease ──► naming
//	                │               ├──► leadership ──► bootclock
//	                └───────────────┘
//
// It judges the code that ships; tests may import what they like. It does not judge what a package does with
// its imports.
package imports
