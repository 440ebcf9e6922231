//go:build linux

package contract

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// reference is the folder of the two files.
func reference(t *testing.T) string {
	t.Helper()
	return filepath.Join(harness.ModuleRoot(t), "docs", "reference")
}

// schema is the leadership document's.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	s, err := compiler.Compile(filepath.Join(reference(t), "leadership.schema.json"))
	if err != nil {
		t.Fatalf("compile the schema: %v", err)
	}
	if s.DraftVersion != 2020 {
		t.Fatalf("the schema is of draft %d, want 2020-12", s.DraftVersion)
	}
	return s
}

// judge validates a document.
func judge(t *testing.T, s *jsonschema.Schema, document string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

const leading = `{"lease":"acme-752b7817f6","namespace":"default","identity":"web-5d9_0b1f4c7e-6a52-4d3b-9a57-2f0c8e1d7b46",
	"isLeader":true,"leader":"web-5d9","token":"48213","transitions":7,"since":"2026-11-22T10:00:00.123Z",
	"validUntil":"2026-11-22T10:00:10.120Z","validUntilBoottimeNs":"812345678901","bootID":"5c8f0e0e-8a57-4d0c-9a0e-0f5a3d1b7c22"}`

// changes are members of the document to set; nil takes one out.
type changes map[string]any

func changed(t *testing.T, document string, c changes) string {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(document), &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range c {
		members[name] = value
		if value == nil {
			delete(members, name)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// null is JSON's.
var null = json.RawMessage("null")

// standby makes the leader's document that of a standby.
func standby(more changes) changes {
	c := changes{"isLeader": false, "leader": "web-x", "token": "", "since": null, "validUntil": null, "validUntilBoottimeNs": null}
	maps.Copy(c, more)
	return c
}

// TestDocuments holds the schema and pkg/leadership against the same documents: what a sidecar may write passes both, and what
// none writes passes neither. The schema is stricter about the form of values that the reader does not need.
func TestDocuments(t *testing.T) {
	s := schema(t)
	stamp := "2026-11-22T10:00:10.120Z"
	for name, c := range map[string]struct {
		change       changes
		valid        bool
		readerPasses bool // though the schema does not
	}{
		"leading":                            {changes{}, true, false},
		"standby":                            {standby(nil), true, false},
		"nobody leads":                       {standby(changes{"leader": ""}), true, false},
		"draining":                           {standby(changes{"leader": "web-5d9", "validUntil": stamp, "validUntilBoottimeNs": "1"}), true, false},
		"a token of 40 digits":               {changes{"token": strings.Repeat("9", 40)}, true, false},
		"a member that is not known yet":     {changes{"zone": "a"}, true, false},
		"a boot with a time namespace":       {changes{"bootID": "5c8f0e0e-8a57-4d0c-9a0e-0f5a3d1b7c22+10m0s"}, true, false},
		"a leader without a token":           {changes{"token": ""}, false, false},
		"a leader without its begin":         {changes{"since": null}, false, false},
		"a leader without deadlines":         {changes{"validUntil": null, "validUntilBoottimeNs": null}, false, false},
		"a leader without the exact one":     {changes{"validUntilBoottimeNs": null}, false, false},
		"a leader without the wall clock's":  {changes{"validUntil": null}, false, false},
		"a leader without a boot":            {changes{"bootID": ""}, false, false},
		"a standby with a token":             {standby(changes{"token": "48213"}), false, false},
		"a standby with a begin":             {standby(changes{"since": stamp}), false, false},
		"a drain without the exact deadline": {standby(changes{"validUntil": stamp}), false, false},
		"a drain with the exact one alone":   {standby(changes{"validUntilBoottimeNs": "1"}), false, false},
		"a token that is a number":           {changes{"token": 48213}, false, false},
		"a token in hexadecimal":             {changes{"token": "0xbc55"}, false, false},
		"a deadline that is a number":        {changes{"validUntilBoottimeNs": 812345678901}, false, false},
		"a deadline with a fraction":         {changes{"validUntilBoottimeNs": "1.5"}, false, false},
		"a deadline before the boot":         {changes{"validUntilBoottimeNs": "-1"}, false, false},
		"a deadline of 20 digits":            {changes{"validUntilBoottimeNs": strings.Repeat("9", 20)}, false, false},
		"a time that is none":                {changes{"validUntil": "soon"}, false, false},
		"the 13th month":                     {changes{"validUntil": "2026-13-22T10:00:10.120Z"}, false, false},
		"isLeader as a text":                 {changes{"isLeader": "true"}, false, false},
		"isLeader as null":                   {changes{"isLeader": null}, false, false},
		"transitions as a text":              {changes{"transitions": "7"}, false, false},
		"transitions below zero":             {changes{"transitions": -1}, false, false},
		"half a transition":                  {changes{"transitions": 7.5}, false, false},
		"a leader that names nobody":         {changes{"leader": ""}, false, true},
		"an identity without a UID":          {changes{"identity": "web-5d9"}, false, true},
		"no name of the Lease":               {changes{"lease": ""}, false, true},
		"a time of another zone":             {changes{"validUntil": "2026-11-22T11:00:10.120+01:00"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			document := changed(t, leading, c.change)
			err := judge(t, s, document)
			if (err == nil) != c.valid {
				t.Errorf("the schema says %v, want valid: %v, of %s", err, c.valid, document)
			}
			err = json.Unmarshal([]byte(document), new(leadership.Leadership))
			if want := c.valid || c.readerPasses; (err == nil) != want {
				t.Errorf("pkg/leadership says %v, want valid: %v, of %s", err, want, document)
			}
		})
	}
	t.Run("each member is needed", func(t *testing.T) {
		members := map[string]any{}
		if err := json.Unmarshal([]byte(leading), &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if judge(t, s, changed(t, leading, changes{name: nil})) == nil {
				t.Errorf("the schema accepts a document without %s", name)
			}
		}
	})
	for name, document := range map[string]string{
		"nothing": "", "half a document": leading[:100], "a list": "[" + leading + "]", "null": "null",
	} {
		t.Run(name, func(t *testing.T) {
			if judge(t, s, document) == nil {
				t.Errorf("the schema accepts %s", document)
			}
		})
	}
}

// shown finds the documents that a page shows.
var shown = regexp.MustCompile("(?s)```json\n(\\{\"lease\".*?)```")

// TestDocumentsOfThePages validates the documents that the reference shows.
func TestDocumentsOfThePages(t *testing.T) {
	s, count := schema(t), 0
	pages, err := filepath.Glob(filepath.Join(reference(t), "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(string(text), -1) {
			count++
			if err := judge(t, s, m[1]); err != nil {
				t.Errorf("%s shows a document that is none: %v\n%s", filepath.Base(page), err, m[1])
			}
		}
	}
	if count < 3 {
		t.Errorf("the reference shows %d documents, want one of a leader, a standby and a drain at least", count)
	}
}
