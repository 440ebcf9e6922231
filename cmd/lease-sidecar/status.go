package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lease-sidecar/lease-sidecar/internal/status"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// statusName is the name of the command whose flags may follow its argument, as those of kubectl may.
const statusName = "status"

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      statusName,
		Usage:     "show elections: who leads, since when, and how long the Lease is valid",
		UsageText: "lease-sidecar status [FLAGS]\nlease-sidecar status NAME|KIND/NAME [FLAGS]",
		ArgsUsage: "[NAME]",
		Description: `Without an argument it prints a table of the elections, those of client-go's elector too. With the
name of a Lease, or a workload such as deployment/web, it explains that election in sentences. It
needs the rights to get, list and watch leases, and writes nothing. As a file on the PATH that is
called kubectl-lease_sidecar, it is "kubectl lease-sidecar status". A time with ~ is an estimate:
it compares the writer's clock with that of this machine. With --measure the command first waits
until it has seen the Leases renewed. With --watch it counts by its own clock, and prints a row
for each change but renewals.

EXAMPLES:
  lease-sidecar status -A
  lease-sidecar status deployment/web --prefix acme -n shop
  lease-sidecar status -A --watch
  lease-sidecar status --kind nodes
  lease-sidecar status --store dir:/tmp/leases --measure 5s`,
		Flags: flags(namespaceFlag, allNamespacesFlag, selectorFlag, outputFlag, watchFlag, kindFlag, measureFlag,
			prefixFlag, kubeconfigFlag, contextFlag, storeFlag),
		Action: showStatus,
	}
}

func showStatus(c *cli.Context) error {
	a := answersOf(c)
	config := a.statusConfig()
	if err := a.err(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return status.Run(ctx, config)
}

// statusConfig reads the options of `status`, and records every fault.
func (a answers) statusConfig() status.Config {
	c := status.Config{
		Kinds:   kindsOf[a.Choice(kindFlag)],
		Labels:  a.selector(),
		Subject: a.subject(),
		Format:  status.Format(a.Choice(outputFlag)),
		Watch:   a.Toggle(watchFlag),
		Measure: a.Duration(measureFlag),
		Clock:   bootclock.System{},
		Out:     a.Context.App.Writer,
		Warn:    func(err error) { say(a.Context.App.ErrWriter, "lease-sidecar: "+visible(err.Error())) },
	}
	at, namespace := a.place()
	all := a.Toggle(allNamespacesFlag)
	if !all {
		namespace = a.namespace(namespace)
	}
	if a.Err() == nil {
		a.sources(&c, at, namespace, all)
	}
	return c
}

// kindsOf are the kinds of Leases that a value of --kind shows.
var kindsOf = map[string][]status.Kind{
	"elections": {status.Sidecar}, "members": {status.MemberOf}, "nodes": {status.Node}, "apiservers": {status.APIServer},
	"all": {status.Sidecar, status.MemberOf, status.Node, status.APIServer, status.Other},
}

func (a answers) selector() labels.Selector {
	selector, err := labels.Parse(a.Text(selectorFlag))
	if err != nil {
		a.Refuse(selectorFlag, "a label selector, such as app=web,tier!=db")
	}
	return selector
}

// subject reads the argument: the name of a Lease, or a workload, whose Lease the prefix names.
func (a answers) subject() status.Subject {
	text := a.Context.Args().First()
	if text == "" {
		return status.Subject{}
	}
	if !strings.Contains(text, "/") {
		name, err := naming.ParseLeaseName(text)
		if err != nil {
			a.Addf("status %q: want the name of a Lease, or KIND/NAME of a workload, such as deployment/web", text)
		}
		return status.Subject{Lease: string(name)}
	}
	workload, err := naming.ParseWorkload(text)
	if err != nil {
		a.Addf("status %q: %w", text, err)
		return status.Subject{}
	}
	prefix := a.Text(prefixFlag)
	a.Of(prefixFlag, naming.ValidatePrefix(prefix))
	name, _ := naming.NewLeaseName(prefix, workload) // a wrong prefix is recorded
	return status.Subject{Lease: string(name), Workload: workload.String()}
}

// sources says what is read. Nodes and API servers have their Leases in namespaces of their own.
func (a answers) sources(c *status.Config, at place, namespace string, all bool) {
	c.Namespaces, c.Place = all, fmt.Sprintf("namespace %q", namespace)
	if all {
		namespace, c.Place = "", "all namespaces"
	}
	if at.dir != "" {
		c.Local, c.Place = true, c.Place+" of directory "+at.dir
		c.Sources = []status.Source{status.Directory{Path: at.dir, Namespace: namespace, Clock: c.Clock, Warn: c.Warn}}
		return
	}
	kube.RouteClientLogs(slog.New(slog.DiscardHandler))
	client, err := kube.NewClient(at.rest, slog.New(slog.DiscardHandler))
	if err != nil {
		a.Addf("--store kube: %w", err)
		return
	}
	nodes := client.Select(status.NodeNamespace, "", "")
	servers := client.Select(status.APIServerNamespace, status.LabelAPIServer, "")
	kind := a.Choice(kindFlag)
	switch {
	case c.Subject != (status.Subject{}):
		c.Sources = []status.Source{client.Select(namespace, "", "")}
	case kind == "nodes":
		c.Sources, c.Place = []status.Source{nodes}, fmt.Sprintf("namespace %q", status.NodeNamespace)
	case kind == "apiservers":
		c.Sources, c.Place = []status.Source{servers}, fmt.Sprintf("namespace %q", status.APIServerNamespace)
	case kind == "all" && !all:
		c.Sources, c.Namespaces = []status.Source{client.Select(namespace, "", ""), nodes, servers}, true
	case kind == "all":
		c.Sources = []status.Source{client.Select("", "", "")}
	case all:
		// Nodes' heartbeats are most Leases of a large cluster, and most of its writes.
		c.Sources = []status.Source{client.Select("", "", "metadata.namespace!="+status.NodeNamespace)}
	default:
		c.Sources = []status.Source{client.Select(namespace, "", "")}
	}
}

// withArgumentLast puts the flags of `status` before its argument, and takes short flags apart that are written as kubectl's may be: -Aw,
// -owide, -nshop. Other command lines stay as they are.
func withArgumentLast(args []string) []string {
	if len(args) < 2 || args[1] != statusName {
		return args
	}
	var arguments []string
	arranged := append([]string{}, args[:2]...)
	rest := args[2:]
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		name, _, assigned := splitFlag(arg)
		short := !strings.HasPrefix(arg, "--") && len(name) > 1 && table.OfName(name) == nil
		switch o := table.OfName(name); {
		case short && table.OfName(arg[1:2]) != nil && table.OfName(arg[1:2]).IsToggle():
			rest = append([]string{arg[:2], "-" + arg[2:]}, rest...)
		case short && table.OfName(arg[1:2]) != nil:
			arranged = append(arranged, arg[:2], strings.TrimPrefix(arg[2:], "="))
		case name == "":
			arguments = append(arguments, arg)
		case o != nil && !o.IsToggle() && !assigned && len(rest) > 0:
			arranged = append(arranged, arg, rest[0])
			rest = rest[1:]
		default:
			arranged = append(arranged, arg)
		}
	}
	return append(arranged, arguments...)
}

// pluginName is the name of a file that kubectl takes for its command lease-sidecar.
const pluginName = "kubectl-lease_sidecar"

// nameAs has the help texts name the program as it was called: as a plugin of kubectl, or by its own name.
func nameAs(app *cli.App, path string) {
	base := path[strings.LastIndexAny(path, `/`+string(os.PathSeparator))+1:]
	if strings.TrimSuffix(base, ".exe") != pluginName {
		return
	}
	const own = "lease-sidecar "
	app.HelpName = "kubectl lease-sidecar"
	for _, command := range app.Commands {
		command.UsageText = strings.ReplaceAll(command.UsageText, own, app.HelpName+" ")
		command.Description = strings.ReplaceAll(command.Description, "  "+own, "  "+app.HelpName+" ")
	}
	app.UsageText = strings.ReplaceAll(app.UsageText, own, app.HelpName+" ")
	app.Description = strings.ReplaceAll(app.Description, "  "+own, "  "+app.HelpName+" ")
}
