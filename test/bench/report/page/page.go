// Package page writes the generated parts of docs/explanation/performance.md: what stands between two markers is a table made from
// the results of a run. What stands outside of the markers is written by people, and holds without exact numbers.
package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// A part of the page is between these comments.
const (
	begin = "<!-- measured: %s; make bench-report writes this -->\n"
	end   = "<!-- end of what is measured -->\n"
)

var marker = regexp.MustCompile(`(?s)<!-- measured: ([a-z-]+); make bench-report writes this -->\n.*?<!-- end of what is measured -->\n`)

// Part is one generated part.
type Part struct {
	// Name is the name in the page's markers, and Text is Markdown.
	Name, Text string
}

// Parts returns all generated parts: the machine, the first table, and that of each section. A series that the catalog does not know
// is an error.
func Parts(run result.Run) ([]Part, error) {
	if err := catalog.Check(run); err != nil {
		return nil, err
	}
	parts := []Part{{"machine", machine(run.Machines)}, {"summary", summary(run)}}
	for _, section := range catalog.All() {
		parts = append(parts, Part{section.ID, table(section, run)})
	}
	return parts, nil
}

// Fill returns the page with its generated parts made new. Each part has one place on the page, or that is an error.
func Fill(document string, parts []Part) (string, error) {
	var found []string
	for _, m := range marker.FindAllStringSubmatch(document, -1) {
		found = append(found, m[1])
	}
	for _, p := range parts {
		switch n := len(slices.DeleteFunc(slices.Clone(found), func(name string) bool { return name != p.Name })); n {
		case 1:
		default:
			return "", fmt.Errorf("the page has %d places for the part %s, want one: %s%s", n, p.Name, fmt.Sprintf(begin, p.Name), end)
		}
	}
	for _, name := range found {
		if !slices.ContainsFunc(parts, func(p Part) bool { return p.Name == name }) {
			return "", fmt.Errorf("the page has a place for %s, which nothing measures: remove it", name)
		}
	}
	return marker.ReplaceAllStringFunc(document, func(old string) string {
		name := marker.FindStringSubmatch(old)[1]
		i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == name })
		return fmt.Sprintf(begin, name) + "\n" + parts[i].Text + "\n" + end
	}), nil
}

// machine says on what a run was made.
func machine(all []result.Machine) string {
	if len(all) == 0 {
		return "Nothing is known of the machine.\n"
	}
	var says []string
	for _, m := range all {
		how := ""
		if m.Short {
			how = ", in the short form, with few samples"
		}
		says = append(says, fmt.Sprintf("Measured on %s at commit %s%s: %d cores of %s, Linux %s, Kubernetes %s, etcd %s, client-go %s, %s.",
			m.Begun.UTC().Format("2 January 2006"), m.Commit, how, m.Cores, m.CPU, m.Kernel, m.Kubernetes, m.Etcd, m.ClientGo, m.Go))
	}
	if len(all) > 1 {
		says = append([]string{"The benchmarks were started several times. All subjects of a figure are of one run."}, says...)
	}
	return strings.Join(says, "\n") + "\n"
}
