//go:build linux

package harness

import "testing"

// Proxy starts a line to the storm, in place of the API server behind it. It ends with the test.
func (s *Storm) Proxy(t testing.TB) *Proxy {
	t.Helper()
	return newProxy(t, s.Host())
}
