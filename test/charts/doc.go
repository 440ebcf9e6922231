// Package charts judges the charts of examples/helm by what helm makes of them: no cluster, a few seconds.
//
//	pods_test.go    every mode renders valid pods, with the token where the sidecar runs and nowhere else
//	values_test.go  every value changes what it should; each chart's README has a table of its values
//	faults_test.go  what the charts refuse, in which words, and that the program refuses the same
//	names_test.go   the Lease's name is what pkg/naming computes
//	rules_test.go   the alert rules have one source
//
// test/integration installs the charts on a real API server.
package charts
