//go:build linux

package docs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Play carries out the steps, in terminals that begin in the folder, with that environment. An error names the step, and has what each
// terminal has shown.
func Play(steps []Step, folder string, environment []string) error {
	terminals := map[int]*Terminal{}
	defer func() {
		for _, t := range terminals {
			t.Close()
		}
	}()
	for _, s := range steps {
		if err := play(s, terminals, folder, environment); err != nil {
			var shown strings.Builder
			for _, n := range slices.Sorted(maps.Keys(terminals)) {
				fmt.Fprintf(&shown, "\n--- terminal %d:\n%s", n, prompt.ReplaceAllString(terminals[n].Shown(), ""))
			}
			return fmt.Errorf("%s: %w, after\n%s%s", s, err, s.Text, shown.String())
		}
	}
	return nil
}

func play(s Step, terminals map[int]*Terminal, folder string, environment []string) (err error) {
	if s.Kind == File {
		return write(filepath.Join(folder, s.Name), s.Text)
	}
	t := terminals[s.Terminal]
	if t == nil {
		if t, err = Open(folder, environment); err != nil {
			return err
		}
		terminals[s.Terminal] = t
	}
	return t.run(s)
}

// write appends a document to a file of YAML, or makes it.
func write(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString("---\n" + text + "\n")
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
