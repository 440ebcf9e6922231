package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// severities are the names of a log record's severity, by the functions that log it and by slog's constants.
var severities = map[string]string{
	"Info": "info", "info": "info", "LevelInfo": "info", "Warn": "warn", "warn": "warn", "LevelWarn": "warn", "Error": "warn", "LevelError": "warn",
}

// handedOn are the expressions behind the key "reason" that stand for reasons found elsewhere.
var handedOn = []string{"string(n.reason)", "note.Reason"}

// camelCase is the form of a reason.
var camelCase = regexp.MustCompile(`^([A-Z][a-z]+)+$`)

// TestReasonsAreDocumented compares the two tables of the troubleshooting page with the reasons in the log records of the code: each is
// there, none is invented, and what is logged as a warning or an error stands among those.
func TestReasonsAreDocumented(t *testing.T) {
	logged := map[string]string{}
	for _, path := range tree(t, ".go") {
		rest := strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(top)+"/")
		product := strings.HasPrefix(rest, "cmd/") || strings.HasPrefix(rest, "internal/") || strings.HasPrefix(rest, "pkg/")
		if !product || strings.HasSuffix(path, "test.go") { // tests, and what they share
			continue
		}
		found, faults, err := reasons(rest, read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Error(fault)
		}
		for name, severity := range found {
			logged[name] = worse(logged[name], severity)
		}
	}
	for _, fault := range misdocumented(logged, read(t, filepath.Join(top, "docs", "how-to", "troubleshoot.md"))) {
		t.Error(fault)
	}
}

// worse returns "warn" where one is, else "info" where one is, else "", which is not known.
func worse(a, b string) string { return max(a, b) }

// reasons returns the reasons in the code of a file, each with the worst severity that the code shows, and a line for each record of
// Info or more without one.
func reasons(path, code string) (found map[string]string, faults []string, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, code, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	found = map[string]string{}
	note := func(e ast.Expr, severity string) bool {
		text := textOf(e)
		if camelCase.MatchString(text) {
			found[text] = worse(found[text], severity)
		}
		return camelCase.MatchString(text)
	}
	elector := filepath.Base(filepath.Dir(path)) == "elector"
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name, severity := called(n)
			if i := slices.IndexFunc(n.Args, func(e ast.Expr) bool { return textOf(e) == "reason" }); i >= 0 && i+1 < len(n.Args) {
				if value := n.Args[i+1]; !note(value, severity) && !slices.Contains(handedOn, types.ExprString(value)) {
					faults = append(faults, fmt.Sprintf("%s: the reason %s is no constant in CamelCase", set.Position(n.Pos()), types.ExprString(value)))
				}
			} else if slices.Contains([]string{"Info", "Warn", "Error"}, name) && len(n.Args) > 0 && textOf(n.Args[0]) != "" && !n.Ellipsis.IsValid() {
				faults = append(faults, fmt.Sprintf("%s: a log record without a reason", set.Position(n.Pos())))
			}
			if elector && slices.Contains([]string{"info", "warn", "note", "reason"}, name) {
				for _, arg := range n.Args[:min(2, len(n.Args))] {
					note(arg, severity)
				}
			}
		case *ast.CompositeLit: // attributes that are logged later
			for i, element := range n.Elts {
				if i > 0 && textOf(n.Elts[i-1]) == "reason" {
					note(element, "")
				}
				if pair, is := element.(*ast.KeyValueExpr); is && types.ExprString(pair.Key) == "Reason" {
					note(pair.Value, "info")
				}
			}
		case *ast.ValueSpec:
			if elector && n.Type != nil && types.ExprString(n.Type) == "reason" {
				for _, value := range n.Values {
					note(value, "")
				}
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if elector && types.ExprString(left) == "why" && i < len(n.Rhs) {
					note(n.Rhs[i], "info")
				}
			}
		}
		return true
	})
	return found, faults, nil
}

// called returns the name of what a call calls, and the severity that it logs with; "" where that is not known.
func called(call *ast.CallExpr) (name, severity string) {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	severity = severities[name]
	for _, arg := range call.Args {
		if given, is := arg.(*ast.SelectorExpr); is && severities[given.Sel.Name] != "" && types.ExprString(given.X) == "slog" {
			severity = severities[given.Sel.Name]
		}
	}
	return name, severity
}

// textOf returns the value of a text in the code; "" for anything else.
func textOf(e ast.Expr) string {
	literal, is := e.(*ast.BasicLit)
	if !is || literal.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value)
	return text
}

var reasonRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")

// misdocumented returns a line for each reason that the page's two tables lack, have twice, in the wrong table, or have invented.
func misdocumented(logged map[string]string, page string) []string {
	_, tables, _ := strings.Cut(page, "\n### Warnings and errors\n")
	warnings, information, _ := strings.Cut(tables, "\n### Information\n")
	documented, faults := map[string]string{}, []string{}
	for severity, table := range map[string]string{"warn": warnings, "info": information} {
		for _, row := range reasonRow.FindAllStringSubmatch(table, -1) {
			name := row[1]
			if documented[name] != "" {
				faults = append(faults, name+" has two rows")
			}
			documented[name] = severity
			switch is, known := logged[name]; {
			case !known:
				faults = append(faults, "nothing logs "+name)
			case is != "" && is != severity:
				faults = append(faults, fmt.Sprintf("%s is logged as %s, and stands among %s", name, is, severity))
			}
		}
	}
	for name := range logged {
		if documented[name] == "" {
			faults = append(faults, name+" has no row")
		}
	}
	slices.Sort(faults)
	return faults
}

func TestReasons(t *testing.T) {
	const code = `package elector
const deleted reason = "LeaseDeleted"
func f() {
	log.Warn("a text", "reason", "RunLockUnseen", "error", err)
	s.log(slog.LevelInfo, "a text", "reason", "ProcessFound")
	log.Info("a text", "reason", name)
	log.Error("no reason")
	m.info("StandingBy", "standing by")
	m.note(slog.LevelError, restored, "a text")
	text, why := "leading", reason("BecameLeader")
	text, why = "resumed", "TermResumed"
	attributes := []any{"reason", "UnknownVariable"}
	log.Warn("later", attributes...)
	sight.New(sight.Note{Text: "held", Reason: "RunLockHeld"})
}`
	found, faults, err := reasons("pkg/elector/f.go", code)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"LeaseDeleted": "", "RunLockUnseen": "warn", "ProcessFound": "info", "StandingBy": "info", "BecameLeader": "", "TermResumed": "info",
		"UnknownVariable": "", "RunLockHeld": "info",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	wantFaults := []string{
		"pkg/elector/f.go:6:2: the reason name is no constant in CamelCase", "pkg/elector/f.go:7:2: a log record without a reason",
	}
	if diff := cmp.Diff(wantFaults, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestMisdocumented(t *testing.T) {
	logged := map[string]string{"LeaseDeleted": "", "Lost": "warn", "Found": "info", "Missing": "info"}
	const page = "| `Elsewhere` |\n### Warnings and errors\n| `LeaseDeleted` | x |\n| `Found` | x |\n\n### Information\n| `Lost` | x |\n| `Made` | x |\n| `Lost` | x |\n"
	want := []string{
		"Found is logged as info, and stands among warn", "Lost has two rows", "Lost is logged as warn, and stands among info",
		"Lost is logged as warn, and stands among info", "Missing has no row", "nothing logs Made",
	}
	if diff := cmp.Diff(want, misdocumented(logged, page)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
