package options

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Answers is what the user gave to a command's options. Its methods note what is wrong, and return the default in its place.
type Answers struct {
	field.Faults
	// Context is the command's.
	Context *cli.Context

	table   *Table
	excused map[*Option]bool // of which Fields notes nothing
}

// Read returns the answers to a command's options, of the table.
func Read(c *cli.Context, t *Table) *Answers {
	return &Answers{Context: c, table: t, excused: map[*Option]bool{}}
}

// Given returns the text of an option: the flag's, the variable's or the default; "" where the command does not have it.
func (a *Answers) Given(h Handle) string {
	if r, ok := a.Context.Generic(h.Spec().Name).(*raw); ok {
		return r.text
	}
	return ""
}

// Text reads a text.
func (a *Answers) Text(o Text) string { return a.Given(o) }

// Duration reads a duration; "" is 0.
func (a *Answers) Duration(o Duration) time.Duration {
	d, want := parseDuration(a.Given(o))
	if want != "" {
		a.Refuse(o, want)
		d, _ = parseDuration(o.Default)
	}
	return d
}

// Longest is the most that any duration may be: what is longer is a mistake, and may overflow where it is added up.
const Longest = 365 * 24 * time.Hour

// tooMany matches a duration that is well formed, and too long for a number of nanoseconds.
var tooMany = regexp.MustCompile(`^\+?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$`)

// parseDuration returns what would do where text does not.
func parseDuration(text string) (d time.Duration, want string) {
	if text == "" || text == "0" {
		return 0, ""
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && tooMany.MatchString(text), err == nil && d > Longest:
		return 0, "at most 8760h (a year)"
	case err != nil:
		return 0, "a duration with its unit, such as 15s or 1m30s"
	case d < 0:
		return 0, "0s or more"
	}
	return d, ""
}

// Number reads a number.
func (a *Answers) Number(o Number) int {
	n, err := strconv.Atoi(a.Given(o))
	if err != nil || n < o.Least || n > o.Most {
		a.Refuse(o, "a whole number from "+strconv.Itoa(o.Least)+" to "+strconv.Itoa(o.Most))
		n, _ = strconv.Atoi(o.Default)
	}
	return n
}

// Toggle reads true or false; what is neither is false.
func (a *Answers) Toggle(o Toggle) bool {
	switch a.Given(o) {
	case "true":
		return true
	case "false":
	default:
		a.Refuse(o, "true or false")
	}
	return false
}

// Is reports whether a choice has the value. It panics where the option has no such choice.
func (a *Answers) Is(o Choice, value string) bool {
	if !slices.Contains(o.Choices, value) {
		panic("--" + o.Name + " has no choice " + value)
	}
	return a.Choice(o) == value
}

// Choice reads a choice. A wrong one is returned as it is.
func (a *Answers) Choice(o Choice) string {
	text := a.Given(o)
	if text != o.Default && !slices.Contains(o.Choices, text) && !a.excused[o.Option] {
		a.Refuse(o, strings.Join(o.Choices, " or "))
	}
	return text
}

// Address reads where to listen or to ask; "" where the option is off.
func (a *Answers) Address(o Address) string {
	if text := a.Given(o); text != "off" {
		return text
	}
	return ""
}
