package status

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// document is one Lease as -o json and -o yaml show it. Times of the wall clock are the writer's own.
type document struct {
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Kind        Kind            `json:"kind"`
	State       string          `json:"state"`
	Estimated   bool            `json:"estimated"`
	Marks       []Mark          `json:"marks,omitempty"`
	Workload    string          `json:"workload,omitempty"`
	Holder      string          `json:"holder,omitempty"`
	Leader      string          `json:"leader,omitempty"`
	AcquireTime *time.Time      `json:"acquireTime,omitempty"`
	RenewTime   *time.Time      `json:"renewTime,omitempty"`
	TermAge     *seconds        `json:"termAge,omitempty"`
	LastRenewal *seconds        `json:"lastRenewal,omitempty"`
	Valid       *seconds        `json:"valid,omitempty"`
	Token       string          `json:"token,omitempty"`
	TokenAtMost string          `json:"tokenAtMost,omitempty"`
	Transitions *int32          `json:"transitions,omitempty"`
	Members     *countDocument  `json:"members,omitempty"`
	Member      *memberDocument `json:"member,omitempty"`
	Revision    string          `json:"revision,omitempty"`
	Node        string          `json:"node,omitempty"`
}

type seconds struct {
	Seconds   float64 `json:"seconds"`
	Estimated bool    `json:"estimated"`
}

type countDocument struct {
	Live    int `json:"live"`
	Total   int `json:"total"`
	Expired int `json:"expired"`
	Left    int `json:"left"`
}

type memberDocument struct {
	Election string `json:"election"`
	Pod      string `json:"pod"`
	Leads    bool   `json:"leads"`
	Health   string `json:"health,omitempty"`
	Priority string `json:"priority,omitempty"`
	Version  string `json:"version,omitempty"`
}

func secondsOf(s Span) *seconds {
	if !s.Known {
		return nil
	}
	return &seconds{Seconds: math.Round(s.Length.Seconds()*1000) / 1000, Estimated: s.Estimated}
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 { // what JSON cannot say
		return nil
	}
	return &t
}

func (s Seen) document(kind Kind, since Span) document {
	return document{
		Namespace: s.Object.Namespace, Name: s.Object.Name, Kind: kind, Holder: s.Record.Holder,
		AcquireTime: timeOf(s.Record.AcquireTime), RenewTime: timeOf(s.Record.RenewTime), LastRenewal: secondsOf(since),
	}
}

func documentOfElection(e Election) document {
	d := e.document(e.Kind, e.SinceWrite)
	d.State, d.Estimated, d.Marks = string(e.State), e.Estimated, e.Marks
	d.Workload, d.Leader, d.Transitions = e.Workload, e.Leader, &e.Record.Transitions
	d.Revision, d.Node = e.Revision, e.Node
	if e.State == Held {
		d.TermAge, d.Valid = secondsOf(e.TermAge), secondsOf(e.Left)
	}
	switch token := tokenCell(e); {
	case token == "<none>":
	case e.Token != "":
		d.Token = token
	default:
		d.TokenAtMost = string(e.Record.Version)
	}
	if c := e.Members; c != (Count{}) {
		d.Members = &countDocument{Live: c.Live, Total: c.Total(), Expired: c.Expired, Left: c.Left}
	}
	if e.Deleted {
		d.State = string(Deleted)
	}
	return d
}

func documentOfBeat(b Beat) document {
	d := b.document(b.Kind, b.SinceWrite)
	d.State, d.Estimated, d.Valid = string(b.Life), b.Estimated, secondsOf(b.Remaining)
	d.Node = b.Label(naming.LabelNode)
	if b.Kind == MemberOf {
		d.Revision = b.Label(naming.LabelRevision)
		d.Member = &memberDocument{
			Election: b.Election(), Pod: b.Pod(), Leads: b.Leads, Health: b.Label(naming.LabelHealth),
			Priority: b.Label(naming.LabelPriority), Version: b.Label(naming.LabelVersion),
		}
	}
	if b.Deleted {
		d.State = string(Gone)
	}
	return d
}

// documents returns a report's, kind by kind.
func (r Report) documents() []document {
	all := []document{}
	for _, e := range r.Elections {
		all = append(all, documentOfElection(e))
	}
	for _, beats := range [][]Beat{r.Members, r.Nodes, r.Servers, r.Others} {
		for _, b := range beats {
			all = append(all, documentOfBeat(b))
		}
	}
	return all
}

// list is the whole answer of a command that does not watch.
type list struct {
	Items []document `json:"items"`
}

func writeJSON(w io.Writer, of any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(of); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

func writeYAML(w io.Writer, of any) error {
	text, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	if text, err = yaml.Marshal(spelled(plain)); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err = w.Write(escapedYAML(text))
	return err
}
