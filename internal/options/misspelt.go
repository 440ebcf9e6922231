package options

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/xrash/smetrics"
)

// ofService matches the rest of the variables that Kubernetes sets for a Service named lease-sidecar.
var ofService = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
})

// mostMisspelt is how many edits a name may be away from a known one; for short names it is a third of the letters, or one.
const mostMisspelt = 3

// UnknownVariable is a variable that has the options' prefix but belongs to no option. Its value is not shown.
type UnknownVariable struct {
	// Name is the variable's.
	Name string
	// Near is the variable that was most likely meant; "" if none is near.
	Near string
}

// Error says so.
func (u UnknownVariable) Error() string {
	text := u.Name + ": no flag has this variable, and it has no effect"
	if u.Near == "" {
		return text
	}
	return text + ": did you mean " + u.Near + "?"
}

// Unknown returns the unknown variables of an environment (NAME=value each). Those that are empty, and those that Kubernetes sets for
// a Service, do not count.
func (t *Table) Unknown(environment []string) []UnknownVariable {
	var ours []string
	for _, o := range t.all {
		ours = append(ours, o.Env())
	}
	var unknown []UnknownVariable
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		rest, is := strings.CutPrefix(name, EnvPrefix)
		if is && value != "" && !slices.Contains(ours, name) && !ofService().MatchString(rest) {
			unknown = append(unknown, UnknownVariable{name, nearest(name, len(EnvPrefix), ours)})
		}
	}
	return unknown
}

// Nearest returns the name with the least edits (Levenshtein distance) from the given one, else the first that begins with
// it; "" if none does.
func Nearest(given string, names []string) string { return nearest(given, 0, names) }

// nearest is Nearest of names that share so many letters at the start.
func nearest(given string, same int, names []string) string {
	best, least := "", max(1, min(mostMisspelt, (len(given)-same)/3))+1
	for _, name := range names {
		if d := smetrics.WagnerFischer(given, name, 1, 1, 1); d < least {
			best, least = name, d
		}
	}
	if best != "" || len(given) == same {
		return best
	}
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, given) }); i >= 0 {
		return names[i]
	}
	return ""
}

// WithoutValue returns a flag that took the next flag for its value, and that next one; "" if there is none.
func (a *Answers) WithoutValue() (flag, next string) {
	for _, o := range a.table.all {
		name, dashed := strings.CutPrefix(a.Given(o), "--")
		name, _, _ = strings.Cut(name, "=")
		if dashed && a.table.OfName(name) != nil {
			return o.Name, a.Given(o)
		}
	}
	return "", ""
}
