package main

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/xrash/smetrics"

	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// ofService matches the rest of the variables that Kubernetes sets for a Service named lease-sidecar.
var ofService = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// mostMisspelt is how many edits a variable's name may be away from an option's; for short names it is a third of the letters.
const mostMisspelt = 3

// warnOfUnknown warns about each variable that has the options' prefix but belongs to no option. It does not log the value.
func warnOfUnknown(log *slog.Logger, environment []string) {
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, options.EnvPrefix)
		if !ours || value == "" || isOption(name) || ofService.MatchString(rest) || child.FromDocument(name) {
			continue
		}
		attributes := []any{"reason", "UnknownVariable", "variable", name}
		if near := nearest(name); near != "" {
			attributes = append(attributes, "did_you_mean", near)
		}
		log.Warn("an environment variable is named as an option, and there is none of that name: it has no effect", attributes...)
	}
}

// isOption reports whether any command has an option with that variable.
func isOption(name string) bool {
	return slices.ContainsFunc(table.All(), func(o *options.Option) bool { return slices.Contains(o.Variables(), name) })
}

// nearest returns the variable with the least edits (Levenshtein distance) from name; "" if none is near.
func nearest(name string) string {
	best, least := "", min(mostMisspelt, (len(name)-len(options.EnvPrefix))/3)+1
	for _, o := range table.All() {
		if d := smetrics.WagnerFischer(name, o.Env(), 1, 1, 1); d < least {
			best, least = o.Env(), d
		}
	}
	return best
}
