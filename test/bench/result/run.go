package result

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// Machine is what a run was measured on, and with. It names no host and no path.
type Machine struct {
	// Begun is when the run began.
	Begun time.Time `json:"begun"`
	// Commit is the commit of this code, "-dirty" at its end where files differed from it.
	Commit string `json:"commit"`
	// Cores is the number of processors, CPU their model, and Kernel the version of Linux.
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	// Go is the version of the compiler.
	Go string `json:"go"`
	// Kubernetes, Etcd and ClientGo are the versions of what took part.
	Kubernetes string `json:"kubernetes"`
	Etcd       string `json:"etcd"`
	ClientGo   string `json:"clientGo"`
	// Short is true for a run with few samples (go test -short): it shows that the benchmarks work, and orders; no figures.
	Short bool `json:"short,omitempty"`
}

// Run is the content of files of results.
type Run struct {
	// Machines has one entry for each time that the benchmarks were started.
	Machines []Machine
	// Series are what was measured.
	Series []Series
}

// key is what a series measures.
type key struct {
	figure  string
	subject Subject
	at      float64
}

func (s Series) key() key { return key{s.Figure, s.Subject, s.At} }

// AppendMachine adds a machine to the file at path.
func AppendMachine(path string, m Machine) error {
	return appendLines(path, struct {
		Machine Machine `json:"machine"`
	}{m})
}

// Read returns what the files hold together. Series of one figure, subject and place in one file become one series. What a later file
// has of a figure replaces all that earlier files have of it: all subjects of a figure are of one run.
func Read(paths ...string) (Run, error) {
	var all Run
	for _, path := range paths {
		one, err := readFile(path)
		if err != nil {
			return Run{}, err
		}
		all.Series = slices.DeleteFunc(all.Series, func(old Series) bool {
			return slices.ContainsFunc(one.Series, func(s Series) bool { return s.Figure == old.Figure })
		})
		all.Machines, all.Series = append(all.Machines, one.Machines...), append(all.Series, one.Series...)
	}
	return all, nil
}

func readFile(path string) (Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return Run{}, fmt.Errorf("open the results: %w", err)
	}
	defer func() { _ = f.Close() }()
	run, err := decode(f)
	if err != nil {
		return Run{}, fmt.Errorf("read %s: %w", path, err)
	}
	return run, nil
}

func decode(r io.Reader) (Run, error) {
	var run Run
	place := map[key]int{}
	d := json.NewDecoder(bufio.NewReader(r))
	d.DisallowUnknownFields()
	for n := 1; ; n++ {
		var line struct {
			Series
			Machine *Machine `json:"machine"`
		}
		err := d.Decode(&line)
		s := line.Series
		switch {
		case errors.Is(err, io.EOF):
			return run, nil
		case err != nil:
			return Run{}, fmt.Errorf("line %d: %w", n, err)
		case line.Machine != nil:
			run.Machines = append(run.Machines, *line.Machine)
			continue
		case s.Figure == "" || s.Subject == "":
			return Run{}, fmt.Errorf("line %d: no figure or no subject", n)
		case !slices.Contains(Subjects, s.Subject):
			return Run{}, fmt.Errorf("line %d: %s: unknown subject %q: result.Subjects has them", n, s.Figure, s.Subject)
		}
		i, seen := place[s.key()]
		if !seen {
			place[s.key()] = len(run.Series)
			run.Series = append(run.Series, s)
			continue
		}
		first := &run.Series[i]
		if first.Unit != s.Unit {
			return Run{}, fmt.Errorf("line %d: %s is in %q here and in %q before", n, s.Figure, s.Unit, first.Unit)
		}
		if first.Of+s.Of > 0 {
			first.Of = first.Count() + s.Count()
		}
		first.Values, first.Time = append(first.Values, s.Values...), s.Time
	}
}

// Find returns a series of the run; false where there is none, or one without values.
func (r Run) Find(figure string, subject Subject, at float64) (Series, bool) {
	for _, s := range r.Series {
		if s.key() == (key{figure, subject, at}) && len(s.Values) > 0 {
			return s, true
		}
	}
	return Series{}, false
}

// Places returns the places at which a figure was measured, in their order.
func (r Run) Places(figure string) []float64 {
	var all []float64
	for _, s := range r.Series {
		if s.Figure == figure && !slices.Contains(all, s.At) {
			all = append(all, s.At)
		}
	}
	slices.Sort(all)
	return all
}

// Write writes the run into a new file at path.
func (r Run) Write(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace the results: %w", err)
	}
	for _, m := range r.Machines {
		if err := AppendMachine(path, m); err != nil {
			return err
		}
	}
	return Append(path, r.Series...)
}

// Thin returns a copy of the run that is small enough to be committed: samples have four significant digits, and where there are more
// than most of them, most ranks stay, evenly spread. The greatest stays, and so does each hundredth where most is a multiple of 100.
func (r Run) Thin(most int) Run {
	thin := Run{Machines: slices.Clone(r.Machines)}
	for _, s := range r.Series {
		values := slices.Clone(s.Values)
		if n := len(values); n > most {
			s.Of = s.Count()
			values = values[:0]
			for i := range most {
				values = append(values, s.Rank(float64(i+1)/float64(most)))
			}
		}
		for i, v := range values {
			values[i] = round(v)
		}
		s.Values = values
		thin.Series = append(thin.Series, s)
	}
	return thin
}

// round keeps four significant digits.
func round(v float64) float64 {
	if math.Abs(v) >= 1e4 {
		return math.Round(v)
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return short
}
