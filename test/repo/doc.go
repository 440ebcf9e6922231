// Package repo holds the tests of the repository itself: the terms of the code, what code may not do, who imports whom, and that
// the documents agree with the code.
//
//	words_test.go         no retired term in identifiers, comments and texts
//	habits_test.go        no sleep without a context, no anonymous-interface assertion, no field that is set late
//	imports_test.go       the picture of who may import whom
//	docstrings_test.go    every exported field has a docstring; the linter asks for the others
//	prerequisites_test.go what `make test` and CI need, and install
//	pictures_test.go      the pictures are what docs/pictures draws, can be read, and show the demo of today
//	readme_test.go        the README: short, its pod and its SQL are tried, each figure has its command
//	grace_test.go         the manifests give a pod more time to end than the sidecar takes at most
//	reasons_test.go       the troubleshooting page has every reason of a log record
//	support_test.go       the versions on the support page are those that the tests build
//	map_test.go           the map and the prerequisites in CONTRIBUTING.md are what is there
//	workflows_test.go     the workflows are bounded and pinned, and call what is there
//	github_test.go        what else GitHub reads: Dependabot's configuration, issue forms, code owners
//	versions_test.go      one version of Go, and of each tool
//	agreement_test.go     one version of a release, wherever it stands; release_test.go: its notes
//	reference, flags, links, manifests, backing: the documents
//
// It judges the code that ships, and of the tests only their words.
package repo
