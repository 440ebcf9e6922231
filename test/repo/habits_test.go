package repo

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHabits looks at the code that ships for three habits that hide faults: a sleep that no context ends, an optional method
// that is found by a type assertion, and a field that another part sets after construction, so that there is a time when it is
// missing.
func TestHabits(t *testing.T) {
	for _, p := range typed(t) {
		if p.self.Path() == module+"/pkg/lease/memory" {
			continue // its faults are what tests set while it runs
		}
		for _, breach := range p.breaches() {
			t.Error(breach)
		}
	}
}

func TestHabitBreaches(t *testing.T) {
	const head = "package p\n\nimport \"time\"\n\ntype clock interface{ Now() time.Time }\n\ntype part struct {\n\tclock clock\n\tf func()\n}\n\n"
	for name, tc := range map[string]struct {
		code string
		want []string
	}{
		"a sleep": {
			code: "func (p *part) wait() { time.Sleep(time.Second) }",
			want: []string{"p.go:12: time.Sleep: wait with a context (bootclock.Sleep)"},
		},
		"an optional method": {
			code: "func see(x any) bool { _, ok := x.(interface{ Blind() bool }); return ok }",
			want: []string{"p.go:12: an anonymous interface: make the method part of the interface that is passed"},
		},
		"an optional method in a switch": {
			code: "func see(x any) { switch x.(type) {\ncase interface{ Blind() bool }: } }",
			want: []string{"p.go:13: an anonymous interface: make the method part of the interface that is passed"},
		},
		"a field that is set late": {
			code: "func (p *part) Follow(c clock) { p.clock = c }",
			want: []string{"p.go:12: clock is set late: pass it to the constructor"},
		},
		"a function that is set late": {
			code: "func (p *part) On(f func()) { p.f = f }",
			want: []string{"p.go:12: f is set late: pass it to the constructor"},
		},
		"a pointer that is set late": {
			code: "type whole struct{ part *part }\n\nfunc (p *part) run() {}\n\nfunc (w *whole) Use(p *part) { w.part = p }",
			want: []string{"p.go:16: part is set late: pass it to the constructor"},
		},
		"a pointer that the part makes": {code: "type whole struct{ part *part }\n\nfunc (p *part) run() {}\n\nfunc (w *whole) Begin() { w.part = &part{} }"},
		"a pointer to mere data":        {code: "type whole struct{ part *part }\n\nfunc (w *whole) Note(p *part) { w.part = p }"},
		"a part of a part that is set late": {
			code: "type whole struct{ part part }\n\nfunc newWhole(c clock) *whole { w := &whole{}; w.part.clock = c; return w }",
			want: []string{"p.go:14: clock is set late: pass it to the constructor"},
		},
		"a constructor":      {code: "func newPart(c clock) *part { p := &part{}; p.clock = c; return p }"},
		"a value in its own": {code: "func (p part) with(c clock) part { p.clock = c; return p }"},
		"a named interface":  {code: "func see(x any) bool { _, ok := x.(clock); return ok }\nvar _ = time.Now"},
	} {
		t.Run(name, func(t *testing.T) {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "p.go", head+tc.code+"\n", 0)
			if err != nil {
				t.Fatal(err)
			}
			p, err := check(set, "p", []*ast.File{file}, importer.ForCompiler(set, "source", nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, p.breaches()); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// checked is a package of the product with its types.
type checked struct {
	self  *types.Package
	set   *token.FileSet
	files []*ast.File
	info  *types.Info
}

// breaches returns a line for each breach.
func (p checked) breaches() []string {
	var found []string
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			ast.Inspect(declaration, func(n ast.Node) bool {
				if what := p.breach(declaration, n); what != "" {
					at := p.set.Position(n.Pos())
					found = append(found, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, what))
				}
				return true
			})
		}
	}
	return found
}

// breach returns what is wrong with one node of a declaration; "" for nothing.
func (p checked) breach(within ast.Decl, n ast.Node) string {
	const anonymous = "an anonymous interface: make the method part of the interface that is passed"
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if f, ok := p.info.Uses[n.Sel].(*types.Func); ok && f.FullName() == "time.Sleep" {
			return "time.Sleep: wait with a context (bootclock.Sleep)"
		}
	case *ast.TypeAssertExpr:
		if methods(n.Type) {
			return anonymous
		}
	case *ast.CaseClause:
		if slices.ContainsFunc(n.List, methods) {
			return anonymous
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if name := p.late(within, left, n.Rhs[min(i, len(n.Rhs)-1)]); name != "" {
				return name + " is set late: pass it to the constructor"
			}
		}
	}
	return ""
}

// methods reports whether an expression is an interface type that is written out, and has methods.
func methods(e ast.Expr) bool {
	i, ok := e.(*ast.InterfaceType)
	return ok && i.Methods.NumFields() > 0
}

// late returns the field that an assignment outside a constructor sets, where it holds a part to call: a function, an interface, or a
// pointer to a struct with methods that comes in as a parameter; one that the function has made or found by itself is its state.
// What a function has made itself is under construction there, and an error or a function that ends a context is state.
func (p checked) late(within ast.Decl, left, right ast.Expr) string {
	selector, ok := left.(*ast.SelectorExpr)
	function, inFunction := within.(*ast.FuncDecl)
	if !ok || !inFunction {
		return ""
	}
	field, ok := p.info.Selections[selector]
	if !ok || field.Kind() != types.FieldVal || field.Obj().Pkg() != p.self {
		return ""
	}
	value, _ := right.(*ast.Ident)
	given := value != nil && parameter(function, p.info.Uses[value])
	if part := callable(field.Type()) || given && p.pointsToPart(field.Type()); !part {
		return ""
	}
	switch of := selector.X.(type) {
	case *ast.SelectorExpr: // a field of a field: that part is constructed already
		return selector.Sel.Name
	case *ast.Ident:
		declared := p.info.Uses[of]
		if _, pointer := declared.Type().(*types.Pointer); pointer && parameter(function, declared) {
			return selector.Sel.Name
		}
	}
	return ""
}

// parameter reports whether a function was given the variable, as receiver or parameter.
func parameter(function *ast.FuncDecl, variable types.Object) bool {
	return variable != nil && function.Pos() < variable.Pos() && variable.Pos() < function.Type.Params.End()
}

// callable reports whether a value of the type is a part that is called: a function or an interface.
func callable(t types.Type) bool {
	switch t.String() {
	case "error", "context.CancelFunc", "context.CancelCauseFunc", "context.Context":
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Signature:
		return true
	case *types.Interface:
		return u.NumMethods() > 0
	}
	return false
}

// pointsToPart reports whether the type is a pointer to one of the module's own structs that has methods.
func (p checked) pointsToPart(t types.Type) bool {
	pointer, ok := t.(*types.Pointer)
	if !ok {
		return false
	}
	of, ok := pointer.Elem().(*types.Named)
	if !ok || of.Obj().Pkg() != p.self && (of.Obj().Pkg() == nil || !strings.HasPrefix(of.Obj().Pkg().Path(), module+"/")) {
		return false
	}
	_, ok = of.Underlying().(*types.Struct)
	return ok && types.NewMethodSet(t).Len() > 0
}

// typed returns the packages that ship.
func typed(t *testing.T) []checked {
	t.Helper()
	type built struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	exports := map[string]string{}
	var ours []built
	for _, b := range list[built](t, "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", module+"/cmd/...", module+"/pkg/...", module+"/internal/...") {
		exports[b.ImportPath] = b.Export
		if strings.HasPrefix(b.ImportPath, module+"/") && !strings.HasSuffix(b.ImportPath, "test") {
			ours = append(ours, b)
		}
	}
	set := token.NewFileSet()
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var all []checked
	for _, b := range ours {
		var files []*ast.File
		for _, name := range b.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(b.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		p, err := check(set, b.ImportPath, files, imports)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// check finds the types of a package's files.
func check(set *token.FileSet, path string, files []*ast.File, imports types.Importer) (checked, error) {
	p := checked{set: set, files: files, info: &types.Info{
		Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	var err error
	p.self, err = (&types.Config{Importer: imports}).Check(path, set, files, p.info)
	return p, err
}
