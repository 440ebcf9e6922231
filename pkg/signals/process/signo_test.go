package process

import (
	"strings"
	"testing"
)

func TestParseSignal(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Signo
		text string
	}{
		{"HUP", 1, "SIGHUP"},
		{"SIGHUP", 1, "SIGHUP"},
		{"hup", 1, "SIGHUP"},
		{"1", 1, "SIGHUP"},
		{"USR2", 12, "SIGUSR2"},
		{"SIGSTOP", 19, "SIGSTOP"},
		{"CONT", 18, "SIGCONT"},
		{"WINCH", 28, "SIGWINCH"},
		{"34", 34, "signal 34"},
		{"64", 64, "signal 64"},
	} {
		got, err := ParseSignal(tc.in)
		if err != nil || got != tc.want || got.String() != tc.text {
			t.Errorf("ParseSignal(%q): got %d, %s, %v; want %d, %s", tc.in, got, got, err, tc.want, tc.text)
		}
	}
	if got, err := ParseSignal(""); got != 0 || err != nil {
		t.Errorf("the empty signal: got %d, %v; want none", got, err)
	}
	for _, in := range []string{"FOO", "SIG", "0", "-1", "65", "32", "33", "SIGSIGHUP", " HUP", "1.0"} {
		if got, err := ParseSignal(in); err == nil || !strings.Contains(err.Error(), "HUP") {
			t.Errorf("ParseSignal(%q): got %d, %v; want an error that says what to write", in, got, err)
		}
	}
}
