package options

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Answers holds what the user gave to a command's options. Its methods record faults, and return the default in their place.
type Answers struct {
	field.Faults
	// Context is the command's.
	Context *cli.Context

	table   *Table
	excused map[*Option]bool // options about which Fields reports nothing
}

// Read returns the answers to a command's options, of the table.
func Read(c *cli.Context, t *Table) *Answers {
	return &Answers{Context: c, table: t, excused: map[*Option]bool{}}
}

// Given returns an option's text: the flag's, the variable's or the default; "" if the command does not have the option.
func (a *Answers) Given(h Handle) string {
	if r, ok := a.Context.Generic(h.Spec().Name).(*raw); ok {
		return r.text
	}
	return ""
}

// Text reads a text.
func (a *Answers) Text(o Text) string { return a.Given(o) }

// Duration reads a duration. "" is 0.
func (a *Answers) Duration(o Duration) time.Duration {
	d, want := parseDuration(a.Given(o))
	if want != "" {
		a.Refuse(o, want)
		d, _ = parseDuration(o.Default)
	}
	return d
}

// Longest bounds every duration: a longer one is a mistake, and sums of it may overflow.
const Longest = 365 * 24 * time.Hour

// tooMany matches a well-formed duration that overflows nanoseconds.
var tooMany = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\+?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$`)
})

// parseDuration returns what is wanted if the text is not a duration.
func parseDuration(text string) (d time.Duration, want string) {
	if text == "" || text == "0" {
		return 0, ""
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && tooMany().MatchString(text), err == nil && d > Longest:
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

// Toggle reads true or false. A wrong text counts as false.
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

// Is reports whether a choice has the value. It panics if the option has no such choice.
func (a *Answers) Is(o Choice, value string) bool {
	if !slices.Contains(o.Choices, value) {
		panic("--" + o.Name + " has no choice " + value)
	}
	return a.Choice(o) == value
}

// Choice reads a choice. It returns a wrong one as given.
func (a *Answers) Choice(o Choice) string {
	text := a.Given(o)
	if text != o.Default && !slices.Contains(o.Choices, text) && !a.excused[o.Option] {
		a.Refuse(o, oneOf(o.Choices))
	}
	return text
}

// oneOf says which values are wanted.
func oneOf(values []string) string {
	if len(values) > 2 {
		return "one of " + strings.Join(values, ", ")
	}
	return strings.Join(values, " or ")
}

// Address reads an address to listen on or to ask; "" if the option is off.
func (a *Answers) Address(o Address) string {
	if text := a.Given(o); text != "off" {
		return text
	}
	return ""
}
