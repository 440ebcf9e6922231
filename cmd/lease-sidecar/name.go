package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func nameCommand() *cli.Command {
	return &cli.Command{
		Name:      "name",
		Usage:     "print the name of the Lease for a prefix and a workload",
		UsageText: "lease-sidecar name [FLAGS]",
		Description: `The name is the prefix, a hyphen, and the first 10 hexadecimal digits of the SHA-256 of KIND/NAME.
In a pod, the workload is derived from POD_NAME and the pod's labels, as run does.

EXAMPLES:
  lease-sidecar name --prefix acme --workload deployment/web`,
		Flags:  flags(prefixFlag, workloadFlag, leaseNameFlag, labelsFileFlag),
		Action: printName,
	}
}

func printName(c *cli.Context) error {
	a := answersOf(c)
	e := a.election()
	if err := a.err(); err != nil {
		return err
	}
	for _, u := range table.Unknown(os.Environ()) { // run says so in its log
		fmt.Fprintln(c.App.ErrWriter, "lease-sidecar: warning:", u)
	}
	_, err := fmt.Fprintln(c.App.Writer, e.lease)
	return err
}

// election is what the replicas of a workload agree on: the Lease's name and its workload, which may be empty.
type election struct {
	lease    naming.LeaseName
	workload string
}

// election derives the Lease's name from the flags and the pod, and records faults.
func (a answers) election() election {
	if a.Text(leaseNameFlag) != "" {
		// Without --workload no workload is claimed: several workloads may be meant to share the named Lease.
		e := election{lease: parsed(a, leaseNameFlag, naming.ParseLeaseName)}
		if a.Text(workloadFlag) != "" {
			e.workload = parsed(a, workloadFlag, naming.ParseWorkload).String()
		}
		return e
	}
	a.Excuse(leaseNameFlag) // without a name the fault is another option's or the pod's, and is recorded here
	prefix := a.Text(prefixFlag)
	a.Of(prefixFlag, naming.ValidatePrefix(prefix))
	workload, ok := a.workload()
	if !ok {
		return election{}
	}
	name, err := naming.NewLeaseName(prefix, workload)
	if err != nil {
		return election{} // the prefix is wrong, which is recorded
	}
	return election{lease: name, workload: workload.String()}
}

// workload returns the given workload, or the one that the pod's labels prove. It records faults, and is then not ok.
func (a answers) workload() (workload naming.Workload, ok bool) {
	if text := a.Text(workloadFlag); text != "" {
		workload, err := naming.ParseWorkload(text)
		a.Of(workloadFlag, err)
		return workload, err == nil
	}
	workload, err := a.derivedWorkload()
	a.Add(err)
	return workload, err == nil
}

func (a answers) derivedWorkload() (naming.Workload, error) {
	this := podid.FromEnvironment()
	if this.Name == "" {
		return naming.Workload{}, errors.New("no workload: set --workload KIND/NAME, such as deployment/web; or, in a pod, " +
			"POD_NAME and the labels from the downward API")
	}
	labels, err := a.podLabels()
	if err != nil {
		return naming.Workload{}, fmt.Errorf("%w (--labels-file): mount the downward API's metadata.labels there, or set --workload", err)
	}
	workload, err := naming.Derive(naming.Pod{Name: this.Name, Labels: labels})
	if errors.Is(err, naming.ErrUnproven) {
		err = fmt.Errorf("%w: set --workload KIND/NAME, such as deployment/web", err)
	}
	return workload, err
}

// podLabels reads the labels of this pod, from the labels file and the environment.
func (a answers) podLabels() (map[string]string, error) {
	labels, err := podid.Labels(a.Text(labelsFileFlag))
	if errors.Is(err, fs.ErrNotExist) && !a.Context.IsSet(labelsFileFlag.Name) {
		err = nil // the default file may be missing: nobody asked for it
	}
	return labels, err
}
