package main

import "testing"

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"/var/run/größe":        "/var/run/größe",
		"two\n  * faults":       "two\n  * faults",
		"a\u00a0b":              `a\u00a0b`,
		"web\u200b-0":           `web\u200b-0`,
		"\ufeffweb":             `\ufeffweb`,
		"web\r":                 `web\r`,
		"a\x1b[31mred":          `a\x1b[31mred`,
		"already \\u00a0 shown": "already \\u00a0 shown",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q; want %q", in, got, want)
		}
	}
}
