package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryExportedFieldHasADocstring sees to what revive's rule exported passes over: fields, and the methods of interfaces.
func TestEveryExportedFieldHasADocstring(t *testing.T) {
	files := token.NewFileSet()
	for _, path := range tree(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range undocumented(file) {
			t.Errorf("%s: %s has no docstring", files.Position(at.Pos()), at.Name)
		}
	}
}

func TestUndocumented(t *testing.T) {
	for name, tc := range map[string]struct {
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
			type J interface{ Only() }`},
		"undocumented": {
			source: `
			type T struct {
				F int
				// G is.
				G int
				H int
			}
			type I interface{ M(); N() }`,
			want: []string{"F", "H", "M", "N"},
		},
		"what nobody sees": {source: `
			type t struct{ F int }
			type T = int // T is.`},
		"an embedded type speaks for itself": {source: `
			// T is.
			type T struct{ Other }`},
	} {
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

// undocumented returns the fields and methods of a file's exported types that no comment describes.
func undocumented(file *ast.File) []*ast.Ident {
	var found []*ast.Ident
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok || !typ.Name.IsExported() {
				continue
			}
			about := typ.Doc
			if about == nil {
				about = group.Doc
			}
			found = append(found, undocumentedFields(about.Text(), fields(typ.Type))...)
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
		for _, name := range field.Names {
			if name.IsExported() && !slices.Contains(names.FindAllString(above, -1), name.Name) {
				found = append(found, name)
			}
		}
	}
	return found
}

var names = regexp.MustCompile(`\w+`)

// fields returns a struct's fields, or an interface's methods; of one with a single method none, as its type's comment speaks for that.
func fields(typ ast.Expr) []*ast.Field {
	switch t := typ.(type) {
	case *ast.StructType:
		return t.Fields.List
	case *ast.InterfaceType:
		if len(t.Methods.List) > 1 {
			return t.Methods.List
		}
	}
	return nil
}
