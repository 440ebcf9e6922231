// Package repo tests the repository itself: that `make test` sets itself up.
package repo
