package repo

import (
	"fmt"
	"slices"
	"strings"
)

// A fence says what the packages of one room may import.
type fence struct {
	// room is an import path below the module, such as "pkg/lease"; with "/..." it covers what lies below too.
	room string
	// of lists the rooms of this module that may be imported; "..." stands for any.
	of []string
	// never lists import paths that the room may not reach at all, through others neither, with what lies below them.
	never []string
}

// pkg is a package as the go command lists it: what it imports itself, and all that it reaches.
type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

// breaches returns a line for every import that the fences forbid. A package that no fence names is a breach as
// well: a new room needs a place in the picture.
func breaches(module string, fences []fence, pkgs []pkg) []string {
	var found []string
	for _, p := range pkgs {
		room := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(fences, func(f fence) bool { return covers(f.room, room) })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s has no fence: give it one in test/repo", room))
			continue
		}
		found = append(found, fences[i].breaches(module, room, p)...)
	}
	return found
}

func (f fence) breaches(module, room string, p pkg) []string {
	var found []string
	for _, path := range p.Imports {
		target, own := strings.CutPrefix(path, module+"/")
		if own && !slices.ContainsFunc(f.of, func(of string) bool { return covers(of, target) }) {
			found = append(found, fmt.Sprintf("%s imports %s", room, target))
		}
	}
	for _, path := range slices.Concat(p.Imports, p.Deps) {
		if slices.ContainsFunc(f.never, func(never string) bool { return covers(never+"/...", path) }) {
			found = append(found, fmt.Sprintf("%s reaches %s", room, path))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// covers reports whether pattern, a path with an optional "/..." behind it, names path.
func covers(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "...")
	if !below {
		return path == pattern
	}
	return base == "" || path == strings.TrimSuffix(base, "/") || strings.HasPrefix(path, base)
}
