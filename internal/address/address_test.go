package address_test

import (
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

func TestParse(t *testing.T) {
	for text, good := range map[string]bool{
		"127.0.0.1:4040": true, ":4041": true, "[::1]:0": true, "localhost:80": true, "0.0.0.0:1": true, "unix:/run/s": true,
		"": false, "4040": false, "127.0.0.1": false, "127.0.0.1:x": false, "127.0.0.1:70000": false, "web:80": false,
		"unix:": false, "::1:4040": false, "unix:/" + strings.Repeat("x", 107): false, "127.0.0.1:http": false, "127.0.0.1:": false,
	} {
		if _, err := address.Parse(text); (err == nil) != good {
			t.Errorf("Parse(%q): %v, want it good: %v", text, err, good)
		}
	}
}
