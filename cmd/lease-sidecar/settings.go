package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// settings is what `run` was told, checked as far as that goes without touching anything.
type settings struct {
	candidate     candidate
	election      elector.Config // its Identity waits for the signal directory's lock
	store         storeChoice
	signalDir     string // "" for no files
	httpAddress   string // "" for none, as probeAddress
	compat        httpapi.Compat
	probeAddress  string
	allowStepDown bool
	stopTimeout   time.Duration
	drainTimeout  time.Duration
	exitOnLoss    bool // an unplanned loss ends the sidecar
	health        healthSettings
	child         childSettings
	remote        remoteSettings
	sights        sightSettings
	process       process.Config // its Log waits for the log
	log           logChoice
}

// storeChoice is where the Lease is kept: a directory, or else the API server.
type storeChoice struct {
	dir  string
	rest *rest.Config
}

// name says where that is: what a predecessor left is believed only if it speaks of the same place.
func (s storeChoice) name() string {
	switch {
	case s.rest != nil:
		return "kube:" + s.rest.Host
	case s.dir == "":
		return "" // a fault that is noted already
	}
	path, err := filepath.Abs(s.dir)
	if err != nil {
		path = s.dir
	}
	return "dir:" + path
}

// open returns the Store of one Lease.
func (s storeChoice) open(namespace, name string, log *slog.Logger) (lease.Store, error) {
	if s.dir != "" {
		return dir.New(s.dir, namespace, name, log)
	}
	kube.RouteClientLogs(log)
	return kube.New(kube.Config{REST: s.rest, Namespace: namespace, Name: name, Log: log})
}

// settings reads all options of `run`, so that every fault is reported at once.
func (a answers) settings() (settings, error) {
	s := settings{
		candidate:     a.candidate(),
		signalDir:     a.text("signal-dir"),
		httpAddress:   a.listen("http-address"),
		compat:        httpapi.Compat(a.choice("compat", "off", "classic", "nais")),
		probeAddress:  a.listen("probe-address"),
		allowStepDown: a.toggle("allow-step-down"),
		stopTimeout:   a.stopTimeout(),
		drainTimeout:  a.duration("drain-timeout"),
		exitOnLoss:    a.exitOnLoss(),
		health:        a.health(a.startsLate()),
		child:         a.child(),
		log:           logChoice{format: a.choice("log-format", "json", "text"), level: a.level("log-level")},
	}
	a.choice("placement", "native", "classic") // it says where the sidecar runs, and decides nothing
	var namespace string
	s.store, namespace = a.store()
	s.election = a.electorConfig(a.namespace(namespace))
	s.election.Store = s.store.name()
	s.remote = a.remote(s.election.Namespace)
	s.sights = a.sights(s.election.Namespace)
	s.process = a.process(s.election, s.stopTimeout)
	if s.signalDir != "" {
		a.of("signal-dir", file.CheckDir(s.signalDir))
	}
	return s, a.err()
}

// electorConfig reads what to campaign for and on which timings, and has the elector judge it.
func (a answers) electorConfig(namespace string) elector.Config {
	e := a.election()
	config := elector.Config{
		Lease: string(e.lease), Namespace: namespace, Workload: e.workload,
		Duration: a.duration("lease-duration"), RenewDeadline: a.duration("renew-deadline"),
		RenewInterval: a.duration("renew-interval"), ForeignGrace: a.duration("foreign-grace"),
		Priority: a.priority(), LeadUnhealthy: a.leadUnfit(),
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
func (a answers) store() (choice storeChoice, namespace string) {
	text := a.text("store")
	path, isDir := strings.CutPrefix(text, "dir:")
	switch {
	case text == "kube":
		config, namespace, err := kube.LoadConfig(a.text("kubeconfig"), a.text("context"))
		if err != nil {
			a.addf("--store kube: %w; for replicas on one machine set --store dir:PATH", err)
		}
		return storeChoice{rest: config}, namespace
	case isDir && path != "":
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			a.addf("--store %q: %w: make that directory first", text, err)
		}
		return storeChoice{dir: path}, "default"
	}
	a.addf("--store %q: want kube, or dir:PATH", text)
	return storeChoice{}, "default"
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
