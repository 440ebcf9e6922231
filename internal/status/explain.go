package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// explain says in sentences what is known of an election. local says that it is in a directory of this machine.
func (r Report) explain(e Election, local bool) []string {
	members := r.membersOf(e)
	lines := []string{e.heading()}
	lines = append(lines, e.leadership()...)
	lines = append(lines, e.edits()...)
	lines = append(lines, e.requests(members)...)
	lines = append(lines, e.collisions()...)
	lines = append(lines, e.presence(members)...)
	lines = append(lines, e.clocks()...)
	return append(lines, e.advice(len(members) > 0, local)...)
}

func (e Election) place() string {
	return printable(e.Object.Namespace) + "/" + printable(e.Object.Name)
}

func (e Election) heading() string {
	switch {
	case e.Kind == ClientGo:
		return "Lease " + e.place() + ": an election by client-go's elector, not by lease-sidecar."
	case e.Workload == "":
		return "Lease " + e.place() + ": an election that names no workload."
	}
	return "Lease " + e.place() + ": the election of " + printable(e.Workload) + "."
}

// requests says that somebody asks for a handover.
func (e Election) requests(members []Beat) []string {
	to := e.asked()
	switch {
	case e.Kind != Sidecar:
		return nil
	case to == "" && e.Record.WishAnswer == "":
		return nil
	case to == "":
		return []string{"The last request for a handover to a certain pod was answered: " + printable(e.Record.WishAnswer) + "."}
	}
	if e.Record.Wish == "" { // the leader hands over by it, to whomever it names
		return []string{"spec.preferredHolder asks for a handover to " + quote(to) + "."}
	}
	line := "Somebody asks for a handover to " + quote(to) + "."
	known := slices.ContainsFunc(members, func(m Beat) bool { return m.Life == Live && (m.Pod() == to || m.Record.Holder == to) })
	if len(members) > 0 && !known {
		line += " No live member has that name, so it is not honoured."
	}
	return []string{line}
}

// collisions says which Leases an election collides with.
func (e Election) collisions() []string {
	var lines []string
	if e.misnamed {
		lines = append(lines, "Collision: the name of the Lease is not that of "+printable(e.Workload)+", which its annotation "+naming.AnnotationWorkload+
			" names. Another workload may have taken it over: its own sidecars refuse the Lease. Fix the annotation, or the name in the manifests.")
	}
	for _, other := range e.same {
		switch {
		case e.State == Held && other.State == Held:
			lines = append(lines, "Collision: Lease "+other.place()+" elects for "+printable(e.Workload)+", too, and is held: two of its replicas may lead side by side. "+
				"That is right only for two products with a prefix each.")
		case other.State == Held:
			lines = append(lines, "Duplicate: Lease "+other.place()+" elects for "+printable(e.Workload)+" and is held. If this one is left over from another prefix, delete it.")
		}
	}
	return lines
}

// lagLeast is the least difference of two clocks to report. A candidate writes its clock to the second.
const lagLeast = 3 * time.Second

// clocks says what of the above is only estimated, or what the clocks differ by.
func (e Election) clocks() []string {
	if lag, known := e.clockLag(); known {
		if lag = lag.Round(time.Second); lag < lagLeast && lag > -lagLeast {
			return nil
		}
		behind := "behind"
		if lag < 0 {
			lag, behind = -lag, "ahead of"
		}
		return []string{"The clock of the last writer is about " + lag.String() + " " + behind + " this machine's."}
	}
	if e.Estimated || e.SinceWrite.Estimated {
		return []string{"A time with ~ is an estimate: it compares the writer's clock with this machine's. Set --measure 10s to see the Lease renewed first."}
	}
	return nil
}

// advice says how to move the leader. A name that is none of Kubernetes' is put into no command.
func (e Election) advice(membership, local bool) []string {
	_, err := naming.ParseLeaseName(e.Leader)
	switch {
	case e.State != Held:
		return nil
	case e.Kind == ClientGo || slices.Contains(e.Marks, Foreign):
		return []string{"To move the leader: end its process. client-go's elector takes no request for a handover."}
	case local:
		return []string{"To hand over, on the leader's machine: lease-sidecar step-down --http-address ITS-ADDRESS"}
	case err != nil:
		return nil
	}
	lines := []string{fmt.Sprintf("To hand over: kubectl exec -n %s %s -c lease-sidecar -- /lease-sidecar step-down", e.Object.Namespace, e.Leader)}
	if membership {
		lines = append(lines, fmt.Sprintf("To hand over to a member: kubectl annotate lease -n %s %s --overwrite %s=POD",
			e.Object.Namespace, e.Object.Name, naming.AnnotationPreferredHolder))
	}
	return lines
}
