//go:build linux

package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// operation is a server, a method, a path and a status.
type operation struct{ server, method, path, status string }

func (o operation) String() string {
	return fmt.Sprintf("%s %s%s: %s", o.method, o.server, o.path, o.status)
}

// operation returns what an exchange is of.
func (e exchange) operation() operation {
	path, _, _ := strings.Cut(e.path, "?")
	return operation{e.server, e.method, path, strconv.Itoa(e.status)}
}

// page is an OpenAPI page.
type page struct {
	document *openapi3.T
	routes   routers.Router
}

func init() {
	// Of a stream the page says no more than that it is text.
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
}

// load reads a page and the files that it refers to. It fails on a page that is not valid.
func load(path string) (*page, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	document, err := loader.LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(loader.Context); err != nil {
		return nil, err
	}
	routes, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, err
	}
	return &page{document, routes}, nil
}

// listed returns what the page lists.
func (p *page) listed() map[operation]bool {
	found := map[operation]bool{}
	for path, item := range p.document.Paths.Map() {
		servers := item.Servers
		if len(servers) == 0 {
			servers = p.document.Servers
		}
		for method, o := range item.Operations() {
			for status := range o.Responses.Map() {
				for _, server := range servers {
					found[operation{server.URL, method, path, status}] = true
				}
			}
		}
	}
	return found
}

// judge returns what is wrong with an exchange.
func (p *page) judge(e exchange) error {
	asked, err := http.NewRequest(e.method, e.server+e.path, strings.NewReader(e.body))
	if err != nil {
		return err
	}
	asked.Header = e.header.Clone()
	route, parameters, err := p.routes.FindRoute(asked)
	if err != nil {
		return err
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, MultiError: true}
	input := &openapi3filter.RequestValidationInput{Request: asked, PathParams: parameters, Route: route, Options: options}
	if !e.malformed && !e.broken {
		err = openapi3filter.ValidateRequest(context.Background(), input)
	}
	return errors.Join(err, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: e.status, Header: e.answer, Body: io.NopCloser(strings.NewReader(e.said)), Options: options,
	}))
}

// TestSpoiltPages: a page with a fault is none.
func TestSpoiltPages(t *testing.T) {
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(reference(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	whole, dir := text("openapi.yaml"), t.TempDir()
	schema := filepath.Join(dir, "leadership.schema.json")
	if err := os.WriteFile(schema, []byte(text("leadership.schema.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, with string
		valid     bool
	}{
		"as it is":                    {"", "", true},
		"no title":                    {"  title: lease-sidecar\n", "", false},
		"an operation's id twice":     {"operationId: name\n", "operationId: events\n", false},
		"an answer without a meaning": {"          description: This replica leads.\n", "", false},
		"a schema that is not there":  {"schemas/Taken", "schemas/Token", false},
		"a file that is not there":    {"leadership.schema.json", "leader.schema.json", false},
		"a type that is none":         {"name: {type: string}", "name: {type: text}", false},
	} {
		spoilt := strings.Replace(whole, c.old, c.with, 1)
		if spoilt == whole && !c.valid {
			t.Fatalf("%s: nothing was spoilt", name)
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml") // the library reads no path twice
		if err := os.WriteFile(path, []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(path); (err == nil) != c.valid {
			t.Errorf("%s: %v, want valid: %v", name, err, c.valid)
		}
	}
}

// route is a pattern that package httpapi serves.
var route = regexp.MustCompile(`"((?:[A-Z]+) /[^" ]*)"`)

// TestEveryRouteIsOnThePage compares the routes in the code with the page's.
func TestEveryRouteIsOnThePage(t *testing.T) {
	p, err := load(filepath.Join(reference(t), "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	listed, served := map[string]bool{}, map[string]bool{}
	for o := range p.listed() {
		if o.method != http.MethodHead { // a route of GET serves it
			listed[o.method+" "+o.path] = true
		}
	}
	sources, err := filepath.Glob(filepath.Join(harness.ModuleRoot(t), "internal", "httpapi", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(source, "_test.go") || filepath.Base(source) == "debug.go" { // profiles: the answers are those of Go's tools
			continue
		}
		for _, m := range route.FindAllStringSubmatch(string(code), -1) {
			served[strings.TrimSuffix(m[1], "{$}")] = true
		}
	}
	if diff := cmp.Diff(served, listed); diff != "" {
		t.Errorf("routes (-code +page):\n%s", diff)
	}
}
