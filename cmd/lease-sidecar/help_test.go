package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/completion"
)

// shows runs the program, which must succeed, and returns what it prints.
func shows(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), append([]string{"lease-sidecar"}, args...), strings.NewReader(""), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("%q: exit code %d, %s", args, code, &stderr)
	}
	return stdout.String()
}

// commandNames returns the names of all commands for people.
func commandNames() []string {
	var all []string
	for _, command := range newApp(nil, nil, io.Discard, io.Discard).VisibleCommands() {
		all = append(all, command.Name)
	}
	return all
}

// flagLine is the line of a help text about a flag.
var flagLine = regexp.MustCompile(`(?m)^  --([a-z][a-z-]*)(?:, -[A-Za-z])?(?:[ =][A-Z/\[\]=]+)?  +\S.*$`)

// TestHelp: no line is wider than 100 columns, each flag has one line, and those of run are in the order of use.
func TestHelp(t *testing.T) {
	widest := 0
	for _, name := range append(commandNames(), "") {
		text := shows(t, append(strings.Fields(name), "--help")...)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			widest = max(widest, utf8.RuneCountInString(line))
			if utf8.RuneCountInString(line) > 100 || strings.TrimRight(line, " ") != line || strings.Contains(line, "\t") {
				t.Errorf("%s --help: a line with more than 100 columns, a tab or a space at its end: %q", name, line)
			}
		}
		var flags []string
		for _, m := range flagLine.FindAllStringSubmatch(text, -1) {
			flags = append(flags, m[1])
		}
		want := []string{"help", "version", "man"}
		if command := newApp(nil, nil, io.Discard, io.Discard).Command(name); command != nil && name != "help" {
			want = nil
			for _, f := range command.Flags {
				want = append(want, f.Names()[0])
			}
			want = append(want, "help")
		}
		if diff := cmp.Diff(want, flags); diff != "" {
			t.Errorf("%s --help: flags (-want +got):\n%s", name, diff)
		}
		if first := []string{"signal-dir", "prefix", "workload"}; name == "run" && !slices.Equal(flags[:len(first)], first) {
			t.Errorf("run --help begins with %q; want %q first, which every user needs: put a new row below theirs", flags[:len(first)], first)
		}
	}
	if widest < 90 {
		t.Errorf("the widest line has %d columns: is that all of the help?", widest)
	}
}

// TestManual: the manual page is sound for both programs that show one, and shows names as they are.
func TestManual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease-sidecar.1")
	if err := os.WriteFile(path, []byte(shows(t, "--man")), 0o600); err != nil {
		t.Fatal(err)
	}
	lint, _ := exec.Command("mandoc", "-Tlint", "-Wwarning", path).CombinedOutput() // it fails for the date
	if left := regexp.MustCompile(`(?m)^.*: missing date, using "": TH\n`).ReplaceAllString(string(lint), ""); left != "" {
		t.Errorf("mandoc -Tlint: %s", left)
	}
	for name, args := range map[string][]string{
		"mandoc": {"-Tascii", "-Owidth=100", path}, "groff": {"-ww", "-man", "-Tascii", "-P-cbou", path},
	} {
		command := exec.Command(name, args...)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v: %s", name, err, &stderr)
		}
		text := regexp.MustCompile(".\b").ReplaceAllString(string(out), "") // mandoc prints bold letters twice
		for _, want := range []string{"LEASE-SIDECAR(1)", "Variable: LEASE_SIDECAR_PREFIX.", "lease-sidecar run [FLAGS] -- COMMAND [ARG...]", "EXIT STATUS"} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
				t.Errorf("%s shows no %q", name, want)
			}
		}
		for _, o := range table.All() {
			if !strings.Contains(text, "--"+o.Name) || !strings.Contains(text, o.Env()) {
				t.Errorf("%s shows not --%s, or not %s", name, o.Name, o.Env())
			}
		}
	}
}

// TestCompletion: the candidates for the last argument of a command line. How shells show them is in testdata/completion.txtar.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"":                                strings.Join(commandNames(), " ") + " --help --version --man",
		"w":                               "wait with-run-lock",
		"--v":                             "--version",
		"nosuch ":                         "",
		"run --placement ":                "native classic",
		"run --placement=":                "--placement=native --placement=classic",
		"run -placement n":                "native",
		"run --store ":                    "kube dir:",
		"run --store dir:/a":              "@directory dir:",
		"run --store=dir:":                "@directory --store=dir:",
		"run --fence ":                    "none kill",
		"run --log-level ":                "debug info warn error",
		"run --on-lost U":                 "USR1 USR2",
		"run --allow-step-down=":          "--allow-step-down=true --allow-step-down=false",
		"run --allow":                     "--allow-step-down=",
		"run --signal-dir ":               "@directory",
		"run --signal-dir=/a":             "@directory --signal-dir=",
		"run --pid-file ":                 "@file",
		"run --kubeconfig ~/":             "@file",
		"run --http-address ":             "127.0.0.1:4040 unix: off",
		"run --http-address unix:":        "@file unix:",
		"run --prefix ":                   "",
		"run --renew":                     "--renew-deadline --renew-interval",
		"run --renew-deadline 2s --ren":   "--renew-interval",
		"run --renew-deadline=2s --ren":   "--renew-interval",
		"run --events --renew-i":          "--renew-interval",
		"--":                              "--help --version --man",
		"-- ":                             "",
		"wait --":                         "--for --timeout --http-address",
		"wait -- ":                        "",
		"wait --for leader --":            "--timeout --http-address",
		"with-run-lock --":                "--signal-dir",
		"with-run-lock --signal-dir / --": "",
		"run -- ":                         "@command",
		"run -- lease-sidecar ":           "@command",
		"run -- lease-sidecar run --":     "@command",
		"run --store kube -- sh --sig":    "@command",
		"wait ":                           "--for --timeout --http-address",
		"wait --for ":                     "leader elected",
		"with-run-lock --signal-dir / -":  "",
		"with-run-lock -- ":               "@command",
		"completion ":                     "bash zsh fish",
		"completion -":                    "",
		"help s":                          "step-down status",
		"status -":                        "--namespace --all-namespaces --selector --output --watch --kind --measure --prefix --kubeconfig --context --store",
		"status ":                         "",
		"status -o ":                      "wide json yaml name",
		"status web --kind a":             "apiservers all",
		"install ":                        "@file",
		"version ":                        "",
	} {
		args := strings.Split(line, " ")
		var got []string
		for answer := range strings.Lines(shows(t, append([]string{completion.Command}, args...)...)) {
			candidate, means, _ := strings.Cut(strings.TrimSuffix(answer, "\n"), "\t")
			got = append(got, candidate)
			if strings.HasPrefix(candidate, "@") && means != "" {
				got = append(got, means)
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

// TestEveryFlagIsCompleted: by its name, and by each of its choices.
func TestEveryFlagIsCompleted(t *testing.T) {
	all := shows(t, completion.Command, "run", "-")
	if dashed := shows(t, completion.Command, "run", "--"); dashed != all {
		t.Errorf("run -- completes %q; want what run - does, %q", dashed, all)
	}
	for _, o := range table.All() {
		if o.Group != "" && !regexp.MustCompile(`(?m)^--`+o.Name+`=?\t\S`).MatchString(all) {
			t.Errorf("run - completes no --%s, with its usage", o.Name)
		}
		if want := o.Choices; o.Group != "" && want != nil {
			if got := strings.Fields(shows(t, completion.Command, "run", "--"+o.Name, "")); !slices.Equal(got, want) {
				t.Errorf("--%s completes %q; want %q", o.Name, got, want)
			}
		}
	}
}
