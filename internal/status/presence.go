package status

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// mostMembers bounds how many members a sentence names.
const mostMembers = 20

// presence lists the members.
func (e Election) presence(members []Beat) []string {
	if len(members) == 0 {
		return nil
	}
	var names []string
	for _, m := range members {
		if m.Life == Left || m.Life == Stray {
			continue
		}
		if len(names) == mostMembers {
			names = append(names, "...")
			break
		}
		names = append(names, memberText(m))
	}
	line := fmt.Sprintf("Members: %d live of %d", e.Members.Live, e.Members.Total())
	if e.Members.Left > 0 {
		line += fmt.Sprintf(", and %d that left", e.Members.Left)
	}
	if len(names) > 0 {
		line += ": " + strings.Join(names, ", ")
	}
	return []string{line + "."}
}

func memberText(m Beat) string {
	var traits []string
	if m.Life != Live {
		traits = append(traits, estimate(m.Estimated)+strings.ToLower(string(m.Life)))
	}
	if m.Leads {
		traits = append(traits, "leader")
	}
	if health := m.Label(naming.LabelHealth); health != "" && health != "healthy" {
		traits = append(traits, printable(health))
	}
	if node := m.Label(naming.LabelNode); node != "" {
		traits = append(traits, "node "+printable(node))
	}
	if revision := m.Label(naming.LabelRevision); revision != "" {
		traits = append(traits, "revision "+printable(revision))
	}
	text := printable(m.Pod())
	if len(traits) > 0 {
		text += " (" + strings.Join(traits, ", ") + ")"
	}
	return text
}
