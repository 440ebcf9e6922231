package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// config reads all options of `run`, so that every fault is reported at once.
func (a answers) config() (sidecar.Config, logChoice) {
	c := sidecar.Config{
		Candidate:        a.candidate(),
		Pod:              thisPod(),
		Node:             os.Getenv("NODE_NAME"),
		Version:          versionText(),
		SignalDir:        a.text("signal-dir"),
		HTTPAddress:      a.listen("http-address"),
		Compat:           httpapi.Compat(a.choice("compat", "off", "classic", "nais")),
		ProbeAddress:     a.listen("probe-address"),
		AllowStepDown:    a.toggle("allow-step-down"),
		StopTimeout:      a.stopTimeout(),
		DrainTimeout:     a.duration("drain-timeout"),
		Command:          a.givenCommand(),
		ExitWithCommand:  a.choice("on-child-exit", "standby", "exit") == "exit",
		Health:           a.health(a.startsLate()),
		HealthProvesStop: a.toggle("health-proves-stop"),
	}
	log := logChoice{format: a.choice("log-format", "json", "text"), level: a.level("log-level")}
	a.choice("placement", "native", "classic") // it says where the sidecar runs, and decides nothing
	var namespace string
	c.Store, namespace = a.store()
	c.Election = a.electorConfig(a.namespace(namespace))
	c.Election.Store = c.Store.Name()
	c.Election.ExitOnLoss = a.choice("on-loss", "stand-by", "exit") == "exit"
	a.remote(&c)
	a.sights(&c)
	c.Process = a.process(c.Election, c.StopTimeout)
	if c.SignalDir != "" {
		a.of("signal-dir", file.CheckDir(c.SignalDir))
	}
	return c, log
}

// givenCommand reads the command that runs only while this replica leads.
func (a answers) givenCommand() []string {
	command := a.command()
	switch {
	case command == nil:
	case len(command) == 0:
		a.addf("run --: there is no command: name it after --, or leave -- out")
	default:
		if _, err := exec.LookPath(command[0]); err != nil {
			a.addf("run -- %s: %w: name a program that is in $PATH, or its whole path", command[0], err)
		}
	}
	return command
}

// shortestStop is the least stop timeout: below it every handover would abandon, or kill, a workload that is just ending.
const shortestStop = time.Second

// stopTimeout reads how long a workload that is seen to run is waited for in a planned stop.
func (a answers) stopTimeout() time.Duration {
	d, ok := a.readDuration("stop-timeout")
	if ok && d < shortestStop {
		a.addf("--stop-timeout %q: want %s or more; 30s is usual, and no more than the pod's terminationGracePeriodSeconds", a.text("stop-timeout"), shortestStop)
	}
	return d
}

// candidate reads the identity's parts. A host's name is folded to lower case, as machines outside Kubernetes have
// all sorts.
func (a answers) candidate() sidecar.Candidate {
	c := sidecar.Candidate{Name: a.text("identity"), PodUID: os.Getenv("POD_UID")}
	source := "--identity"
	if c.Name == "" {
		c.Name, source = os.Getenv("POD_NAME"), "POD_NAME"
	}
	if c.Name == "" {
		host, _ := os.Hostname() // an empty name is refused below, with the fix
		c.Name, source = strings.ToLower(host), "the host's name; set --identity"
	}
	_, err := c.Identity(true)
	for _, single := range flatten(err) {
		switch of, ok := errors.AsType[*field.Error](single); {
		case ok && of.Field == "PodUID":
			a.addf("POD_UID %s: want %s; set it from the downward API, or leave it unset", of.Value, of.Want)
		case ok:
			a.addf("identity %s: want %s (from %s)", of.Value, of.Want, source)
		default:
			a.addf("%w (from %s)", single, source)
		}
	}
	return c
}

// electorConfig reads what to campaign for and on which timings, and has the elector judge it.
func (a answers) electorConfig(namespace string) elector.Config {
	e := a.election()
	config := elector.Config{
		Lease: string(e.lease), Namespace: namespace, Workload: e.workload,
		Duration: a.duration("lease-duration"), RenewDeadline: a.duration("renew-deadline"),
		RenewInterval: a.duration("renew-interval"), ForeignGrace: a.duration("foreign-grace"),
		Priority: a.number("priority", 0, elector.MaxPriority), LeadUnhealthy: a.choice("when-all-unfit", "wait", "lead") == "lead",
	}.WithDefaults()
	judged := config
	judged.Lease, judged.Identity = "noted-already", "noted-already" // what is wrong with them
	a.timingFaults(judged.Validate())
	return config
}

// electionFlags maps the fields of an [elector.Config] to the flags that set them.
var electionFlags = map[string]string{
	"Duration": "lease-duration", "RenewDeadline": "renew-deadline", "RenewInterval": "renew-interval",
	"ForeignGrace": "foreign-grace", "Priority": "priority",
}

// timingFaults notes what the elector finds wrong. A timing that was not given, but follows from another one, is
// only blamed where nothing else is.
func (a answers) timingFaults(err error) {
	var given, all []error
	for _, single := range flatten(err) {
		var fault *field.Error
		if !errors.As(single, &fault) {
			all = append(all, single)
			continue
		}
		flag := electionFlags[fault.Field]
		all = append(all, fmt.Errorf("--%s %s: want %s", flag, fault.Value, fault.Want))
		if a.text(flag) != "" {
			given = append(given, all[len(all)-1])
		}
	}
	if len(given) == 0 {
		given = all
	}
	a.add(errors.Join(given...))
}

// store reads where the Lease is kept, and the namespace that goes with the credentials.
func (a answers) store() (store sidecar.Store, namespace string) {
	text := a.text("store")
	path, isDir := strings.CutPrefix(text, "dir:")
	switch {
	case text == "kube":
		config, namespace, err := kube.LoadConfig(a.text("kubeconfig"), a.text("context"))
		if errors.Is(err, kube.ErrNoCluster) {
			err = fmt.Errorf("%w: set --kubeconfig or KUBECONFIG, or run in a pod with a ServiceAccount token", err)
		}
		if err != nil {
			a.addf("--store kube: %w; for replicas on one machine set --store dir:PATH", err)
		}
		return sidecar.Store{REST: config}, namespace
	case isDir && path != "":
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			a.addf("--store %q: %w: make that directory first", text, err)
		}
		return sidecar.Store{Dir: path}, "default"
	}
	a.addf("--store %q: want kube, or dir:PATH", text)
	return sidecar.Store{}, "default"
}

// namespace returns the Lease's namespace; fallback is the credentials'.
func (a answers) namespace(fallback string) string {
	namespace := a.text("namespace")
	if namespace == "" {
		namespace = os.Getenv("POD_NAMESPACE")
	}
	if namespace == "" {
		namespace = fallback
	}
	switch {
	case namespace != "":
		a.of("namespace", naming.ValidateNamespace(namespace))
	case a.list == nil: // else it may be missing because of what is wrong already
		a.addf("no namespace: set --namespace, or POD_NAMESPACE from the downward API")
	}
	return namespace
}

// listen reads an address to listen at; "" where that is off.
func (a answers) listen(name string) string {
	text := a.address(name)
	switch {
	case text == "":
	case name == "probe-address" && strings.HasPrefix(text, "unix:"):
		a.addf("--%s %q: want HOST:PORT or off, as the kubelet asks over the network", name, text)
	default:
		_, err := address.Parse(text)
		a.of(name, err)
	}
	return text
}

func (a answers) level(name string) slog.Level {
	var level slog.Level
	text := a.choice(name, "debug", "info", "warn", "error")
	_ = level.UnmarshalText([]byte(text)) // of one of these words it cannot fail
	return level
}
