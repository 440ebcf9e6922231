package status

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Config says what to show, and where.
type Config struct {
	// Sources are where the Leases are read. Place says in a message where that is: "namespace default".
	Sources []Source
	Place   string
	// Local says that they are in a directory of this machine.
	Local bool
	// Kinds are the kinds to show, and Labels which of them.
	Kinds  []Kind
	Labels labels.Selector
	// Subject is what to explain; the zero Subject for a table of all.
	Subject Subject
	// Format is how, Namespaces adds a column of the namespace.
	Format     Format
	Namespaces bool
	// Watch goes on, and prints each change. Measure is how long to watch before the first print, at most.
	Watch   bool
	Measure time.Duration

	// Clock is this machine's.
	Clock bootclock.Clock
	// Out takes the answer, and Warn what hinders it.
	Out  io.Writer
	Warn func(error)
}

// Subject is one election: by the name of its Lease, by its workload, or both.
type Subject struct {
	// Lease is a name, Workload a text such as deployment/web; either may be "".
	Lease, Workload string
}

func (s Subject) matches(e Election) bool {
	return s.Lease != "" && e.Object.Name == s.Lease || s.Workload != "" && e.Workload == s.Workload
}

// flushInterval is how often a watch looks whether there is something to print: for changes, and for Leases that expire.
const flushInterval = 200 * time.Millisecond

// Run prints what there is, and with Watch goes on until ctx ends. It returns an error where the Leases cannot be read, where there is no such
// subject, or where nobody takes the output.
func Run(ctx context.Context, c Config) error {
	pictures := make([]Picture, len(c.Sources))
	p := newPrinter(c)
	if c.Measure == 0 && !c.Watch {
		for i, source := range c.Sources {
			list, _, err := read(ctx, source)
			if err != nil {
				return err
			}
			pictures[i].Replace(list, Read(c.Clock))
		}
		return p.first(Judge(pictures, Read(c.Clock)))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	events := make(chan event)
	for i, source := range c.Sources {
		group.Go(func() error {
			return follower{number: i, source: source, clock: c.Clock, events: events, warn: c.Warn}.run(ctx)
		})
	}
	err := c.show(ctx, pictures, events, p)
	cancel()
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

// show prints the first report once all is known that is to be measured, and then each change.
func (c Config) show(ctx context.Context, pictures []Picture, events <-chan event, p *printer) error {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	began := Read(c.Clock)
	listed := map[int]bool{}
	printed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			e.apply(pictures)
			if e.listed {
				listed[e.source] = true
			}
			continue
		case <-ticker.C:
		}
		now := Read(c.Clock)
		report := Judge(pictures, now)
		switch {
		case printed:
			if err := p.changes(report); err != nil {
				return err
			}
		case len(listed) == len(pictures) && (now.Boot.Sub(began.Boot) >= c.Measure || measured(p.of(report))):
			if err := p.first(report); err != nil || !c.Watch {
				return err
			}
			printed = true
		}
	}
}

// measured reports whether waiting longer would make no age better.
func measured(r Report) bool {
	if slices.ContainsFunc(r.Elections, func(e Election) bool {
		return e.State == Held && (e.Estimated || e.SinceWrite.Estimated) || e.Estimated
	}) {
		return false
	}
	for _, beats := range [][]Beat{r.Members, r.Nodes, r.Servers, r.Others} {
		if slices.ContainsFunc(beats, func(b Beat) bool { return b.Estimated }) {
			return false
		}
	}
	return true
}

// notFound is the answer where the subject is not there.
func (c Config) notFound() error {
	name := c.Subject.Lease
	if c.Subject.Workload != "" {
		return fmt.Errorf("no election of %s in %s: neither a Lease of that annotation, nor Lease %s: set --prefix and --namespace, or list all with: lease-sidecar status -A",
			c.Subject.Workload, c.Place, name)
	}
	return fmt.Errorf("no Lease %q in %s: list all with: lease-sidecar status -A", name, c.Place)
}
