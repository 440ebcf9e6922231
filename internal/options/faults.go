package options

import (
	"errors"
	"maps"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Refuse notes an option's value as a fault, and what would do.
func (a *Answers) Refuse(h Handle, want string) {
	a.Of(h, field.Quoted("", a.Given(h), "%s", want))
}

// Of notes the faults of an option's value under its name; nil notes nothing.
func (a *Answers) Of(h Handle, err error) {
	name := h.Spec().Name
	for _, single := range field.Flatten(err) {
		a.Excuse(h)
		one, ok := errors.AsType[*field.Error](single)
		switch {
		case !ok:
			a.Addf("%w (--%s)", single, name)
		case one.Value == "":
			a.Addf("--%s: want %s", name, one.Want)
		default:
			a.Addf("--%s %s: want %s", name, one.Value, one.Want)
		}
	}
}

// Excuse has [Answers.Fields] note nothing about the option: what is wrong with it is noted already, or of another one.
func (a *Answers) Excuse(h Handle) { a.excused[h.Spec()] = true }

// Fields notes the faults of a configuration's fields, each under its option. An option that is excused is left out. One that was
// not given, but follows from others of the same nested configuration, is only blamed where none of those is. A fault of a field
// that no option sets names the given options that need the field.
func (a *Answers) Fields(err error) {
	excused, all := maps.Clone(a.excused), field.Flatten(err)
	blamed := map[string]bool{} // nested configurations in which a given option is wrong
	for _, single := range all {
		if o := a.optionOf(single); o != nil && a.Given(o) != "" {
			blamed[o.nesting()] = true
		}
	}
	for _, single := range all {
		switch o := a.optionOf(single); {
		case o == nil:
			a.needed(single)
		case excused[o], a.Given(o) == "" && blamed[o.nesting()]:
		default:
			a.Of(o, single)
		}
	}
}

// needed notes the fault of a field that no option sets.
func (a *Answers) needed(fault error) {
	one, isField := errors.AsType[*field.Error](fault)
	var flags []string
	for _, o := range a.table.all {
		if isField && o.Needs == one.Field && a.Given(o) != o.Default {
			flags = append(flags, "--"+o.Name)
		}
	}
	if flags == nil {
		a.Add(fault)
		return
	}
	a.Addf("%s: want %s; or leave that out", strings.Join(flags, " and "), one.Want)
}

// optionOf returns the option whose field the error is about; nil where there is none.
func (a *Answers) optionOf(err error) *Option {
	if one, ok := errors.AsType[*field.Error](err); ok {
		return a.table.OfField(one.Field)
	}
	return nil
}

// nesting returns the nested configuration that the option's field is in.
func (o *Option) nesting() string {
	nesting, _, _ := strings.Cut(o.Field, ".")
	return nesting
}
