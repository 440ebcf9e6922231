package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// election is what the replicas of a workload agree on: the Lease's name, and the workload that it is for, which
// is empty where the name was given outright.
type election struct {
	lease    naming.LeaseName
	workload string
}

// election works out the Lease's name from the flags and from what the pod knows of itself.
func (a answers) election() election {
	if text := a.text("lease-name"); text != "" {
		return a.namedElection(text)
	}
	prefix := a.text("prefix")
	a.of("prefix", naming.ValidatePrefix(prefix))
	workload, err := a.workload()
	if err != nil {
		a.add(err)
		return election{}
	}
	name, err := naming.NewLeaseName(prefix, workload)
	if err != nil {
		return election{} // the prefix, and that is noted
	}
	return election{lease: name, workload: workload.String()}
}

// namedElection takes the Lease's name as given. Without --workload no workload is claimed: whoever names a Lease
// may want several workloads to share it.
func (a answers) namedElection(text string) election {
	name, err := naming.ParseLeaseName(text)
	a.of("lease-name", err)
	e := election{lease: name}
	if text := a.text("workload"); text != "" {
		workload, err := naming.ParseWorkload(text)
		a.of("workload", err)
		e.workload = workload.String()
	}
	return e
}

// of notes the faults of an option's value under its name.
func (a answers) of(name string, err error) {
	for _, single := range flatten(err) {
		if of, ok := errors.AsType[*field.Error](single); ok {
			a.addf("--%s %s: want %s", name, of.Value, of.Want)
			continue
		}
		a.addf("%w (--%s)", single, name)
	}
}

// fields notes the faults of a configuration's fields, each under its flag.
func (a answers) fields(flags map[string]string, err error) {
	for _, single := range flatten(err) {
		name := ""
		if of, ok := errors.AsType[*field.Error](single); ok {
			name = flags[of.Field]
		}
		a.of(name, single)
	}
}

// workload returns the given workload, or the one that the pod's labels prove.
func (a answers) workload() (naming.Workload, error) {
	if text := a.text("workload"); text != "" {
		workload, err := naming.ParseWorkload(text)
		var list faults
		answers{&list, a.c}.of("workload", err)
		return workload, list.list.ErrorOrNil()
	}
	pod := naming.Pod{Name: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID")}
	if pod.Name == "" {
		return naming.Workload{}, errors.New("no workload: set --workload KIND/NAME, such as deployment/web; or, in a pod, " +
			"POD_NAME and the labels from the downward API")
	}
	labels, err := a.labels()
	if err != nil {
		return naming.Workload{}, err
	}
	pod.Labels = labels
	workload, err := naming.Derive(pod)
	if err != nil {
		err = fmt.Errorf("%w: set --workload KIND/NAME, such as deployment/web", err)
	}
	return workload, err
}

// labels reads the pod's labels: the file where there is one, and over it a variable each.
func (a answers) labels() (map[string]string, error) {
	labels, err := readLabels(a.text("labels-file"))
	if errors.Is(err, fs.ErrNotExist) && !a.c.IsSet("labels-file") {
		labels, err = map[string]string{}, nil // the default place is looked at, not asked for
	}
	if err != nil {
		return nil, fmt.Errorf("%w (--labels-file): mount the downward API's metadata.labels there, or set --workload", err)
	}
	for _, key := range naming.DerivationLabels() {
		if value := os.Getenv(naming.LabelEnv(key)); value != "" {
			labels[key] = value
		}
	}
	return labels, nil
}

func readLabels(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	labels, err := naming.ParseLabels(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return labels, nil
}
