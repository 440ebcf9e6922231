package options

import (
	"errors"
	"maps"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Refuse records a fault of an option's value, and what is wanted.
func (a *Answers) Refuse(h Handle, want string) {
	a.Of(h, field.Quoted("", a.Given(h), "%s", want))
}

// Of records faults of an option's value under the option's name, if err is not nil.
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

// Excuse makes [Answers.Fields] skip the option: its fault is recorded already, or is another option's.
func (a *Answers) Excuse(h Handle) { a.excused[h.Spec()] = true }

// Fields records the faults of a configuration's fields under their options. It skips excused options. An option that was
// not given is blamed only if no given option of the same nested configuration is: its value may follow from those. A fault
// of a field that no option sets names the given options that need the field.
func (a *Answers) Fields(err error) {
	excused, all := maps.Clone(a.excused), field.Flatten(err)
	blamed := map[string]bool{} // nested configurations with a wrong given option
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

// needed records the fault of a field that no option sets.
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

// optionOf returns the option whose field the error is about, or nil.
func (a *Answers) optionOf(err error) *Option {
	if one, ok := errors.AsType[*field.Error](err); ok {
		return a.table.OfField(one.Field)
	}
	return nil
}

// nesting returns the nested configuration of the option's field.
func (o *Option) nesting() string {
	nesting, _, _ := strings.Cut(o.Field, ".")
	return nesting
}
