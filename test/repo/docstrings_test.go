package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryExportedNameHasADocstring(t *testing.T) {
	files := token.NewFileSet()
	documented := map[string]bool{} // by folder: does any file carry the package's comment?
	for _, path := range tree(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(path)
		documented[folder] = documented[folder] || file.Doc != nil
		for _, at := range undocumented(file) {
			t.Errorf("%s: %s has no docstring", files.Position(at.Pos()), at.Name)
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("%s: the package has no comment: write a doc.go", folder)
		}
	}
}

func TestUndocumented(t *testing.T) {
	tests := map[string]struct {
		source string
		want   []string
	}{
		"documented all through": {source: `
			// T is.
			type T struct {
				// A and B are.
				A, B int
				C    int // C is.
				d    int
				// E and F are.
				E int
				F string
			}
			// I gets what is Named, and no more.
			type I interface {
				Named()
				More() // More is.
			}
			// J is called now and then.
			type J interface{ Only() }
			// F does.
			func F() {}
			func (T) String() string {}
			// M does.
			func (T) M() {}
			// The bounds of it all.
			const (
				Low  = 1
				High = 2
			)`},
		"each kind of name": {
			source: `
			type T struct {
				F int
				// G is.
				G int
				H int
			}
			type I interface{ M() }
			func G() {}
			func (T) N() {}
			func (*T) O() {}
			const C = 1
			var V = 2`,
			want: []string{"T", "T.F", "T.H", "I", "I.M", "G", "N", "O", "C", "V"},
		},
		"what nobody sees": {source: `
			type t struct{ F int }
			func (t) M() {}
			func (p *list[K]) M() {}
			func f() {}
			type T = int // T is.
			var _ = 1`},
		"an embedded type speaks for itself": {source: `
			// T is.
			type T struct{ Other }`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p\n"+tc.source, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range undocumented(file) {
				got = append(got, at.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("undocumented names (-want +got):\n%s", diff)
			}
		})
	}
}

// undocumented returns the exported names of a file that no comment describes: types, their fields and methods,
// functions, constants and variables. The names of fields carry their type's.
func undocumented(file *ast.File) []*ast.Ident {
	var found []*ast.Ident
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || wantsDocstring(d)) {
				found = append(found, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				found = append(found, undocumentedSpec(spec, d.Doc)...)
			}
		}
	}
	return found
}

// undocumentedSpec does so for one line of a declaration; group is the comment on the declaration as a whole.
func undocumentedSpec(spec ast.Spec, group *ast.CommentGroup) []*ast.Ident {
	var found []*ast.Ident
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if group == nil && s.Doc == nil && s.Comment == nil {
			found = exported(s.Names)
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		if group == nil && s.Doc == nil && s.Comment == nil {
			found = append(found, s.Name)
		}
		about := "" // the type's own comment, which may describe its fields as well
		if s.Doc != nil {
			about = s.Doc.Text()
		} else if group != nil {
			about = group.Text()
		}
		inside := fields(s.Type)
		if _, ok := s.Type.(*ast.InterfaceType); ok && about != "" && len(inside) == 1 {
			return found // an interface of one method is that method
		}
		for _, name := range undocumentedFields(about, inside) {
			found = append(found, &ast.Ident{NamePos: name.NamePos, Name: fmt.Sprintf("%s.%s", s.Name, name)})
		}
	}
	return found
}

// undocumentedFields does so for a type's fields or methods. The comment above them may speak for several, by name.
func undocumentedFields(above string, list []*ast.Field) []*ast.Ident {
	var found []*ast.Ident
	for _, field := range list {
		if field.Doc != nil {
			above = field.Doc.Text()
		}
		if field.Doc != nil || field.Comment != nil {
			continue
		}
		for _, name := range exported(field.Names) {
			if !slices.Contains(words.FindAllString(above, -1), name.Name) {
				found = append(found, name)
			}
		}
	}
	return found
}

var words = regexp.MustCompile(`\w+`)

func fields(typ ast.Expr) []*ast.Field {
	switch t := typ.(type) {
	case *ast.StructType:
		return t.Fields.List
	case *ast.InterfaceType:
		return t.Methods.List
	}
	return nil
}

func exported(names []*ast.Ident) []*ast.Ident {
	var found []*ast.Ident
	for _, name := range names {
		if name.IsExported() {
			found = append(found, name)
		}
	}
	return found
}

// wantsDocstring reports whether somebody outside can call the method, and whether there is anything to say of it:
// that of an error or a Stringer says nothing new.
func wantsDocstring(method *ast.FuncDecl) bool {
	switch method.Name.Name {
	case "Error", "String", "Unwrap":
		return false
	}
	return receiverExported(method.Recv.List[0].Type)
}

// receiverExported reports whether a method's receiver is of an exported type: *T, T, T[K], T[K, V].
func receiverExported(typ ast.Expr) bool {
	switch t := typ.(type) {
	case *ast.StarExpr:
		return receiverExported(t.X)
	case *ast.IndexExpr:
		return receiverExported(t.X)
	case *ast.IndexListExpr:
		return receiverExported(t.X)
	case *ast.Ident:
		return t.IsExported()
	}
	return false
}
