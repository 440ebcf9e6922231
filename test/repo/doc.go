// Package repo holds the tests of the repository itself: the terms of the code, what code may not do, who imports whom, and that
// the documents agree with the code.
//
//	words_test.go         no retired term in identifiers, comments and texts
//	habits_test.go        no sleep without a context, no anonymous-interface assertion, no field that is set late
//	imports_test.go       the picture of who may import whom
//	docstrings_test.go    every exported field has a docstring; the linter asks for the others
//	prerequisites_test.go what `make test` and CI need, and install
//	reference, flags, links, manifests, backing: the documents
//
// It judges the code that ships, and of the tests only their words.
package repo
