package repo

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// top is the repository, as seen from this folder.
var top = filepath.Join("..", "..")

// tree returns the files of the repository with that ending, by paths that open from here. Folders that the go
// command ignores (testdata, hidden ones) and what the Makefile builds are left out.
func tree(t *testing.T, ending string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != top && ignored(entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ending):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no file ends in %s: is the repository not two folders up?", ending)
	}
	return found
}

func ignored(folder string) bool {
	return folder == "testdata" || folder == "bin" || folder == "dist" || strings.HasPrefix(folder, ".")
}
