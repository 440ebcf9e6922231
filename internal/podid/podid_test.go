package podid

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// No answer of another pod is accepted. A pod that knows itself only in part compares what it knows.
func TestSent(t *testing.T) {
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	for name, tc := range map[string]struct {
		own      Pod
		header   string
		identity string
		want     bool
	}{
		"nothing is known":                       {Pod{}, "apps/web-b/" + two, "web-b_" + two, true},
		"our UID":                                {Pod{UID: one, Name: "web-a"}, "apps/web-a/" + one, "custom_" + two, true},
		"our UID in capitals":                    {Pod{UID: "AAAAAAAA-1111-4111-8111-111111111111"}, "//aaaaaaaa-1111-4111-8111-111111111111", "", true},
		"another UID":                            {Pod{UID: one, Name: "web-a"}, "apps/web-b/" + two, "web-b_" + two, false},
		"our name, another UID":                  {Pod{UID: one, Name: "web-a"}, "apps/web-a/" + two, "web-a_" + two, false},
		"another UID, an identity like ours":     {Pod{UID: one, Name: "web-a"}, "apps/web-b/" + two, "web-a_" + one, false},
		"our UID in the identity":                {Pod{UID: one, Name: "web-a"}, "", "custom_" + one, true},
		"a random identity with our name":        {Pod{UID: one, Name: "web-a", Namespace: "apps"}, "", "web-a_" + two, true},
		"a random identity with another name":    {Pod{UID: one, Name: "web-a"}, "", "web-b_" + two, false},
		"our name in another namespace":          {Pod{UID: one, Name: "web-a", Namespace: "apps"}, "other/web-a/", "web-a_" + two, false},
		"our name, its Lease in another":         {Pod{Name: "web-a", Namespace: "other"}, "", "web-a_" + two, false},
		"our name, and no more is known of us":   {Pod{Name: "web-a"}, "apps/web-a/" + one, "custom_" + one, true},
		"another name, and no more is known":     {Pod{Name: "web-b"}, "apps/web-a/" + one, "web-b_" + one, false},
		"only our UID, and the sidecar has none": {Pod{UID: one}, "apps/web-a/", "web-a_" + two, false},
		"a header of another form":               {Pod{UID: one, Name: "web-a"}, "one/two", "web-a_" + one, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.own.Sent(Parse(tc.header), leadership.Leadership{Identity: tc.identity, Namespace: "apps"}); got != tc.want {
				t.Errorf("got %v; want %v", got, tc.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for want, p := range map[string]Pod{
		"apps/web-a/1": {"apps", "web-a", "1"}, "web-a": {Name: "web-a"}, "apps/1": {Namespace: "apps", UID: "1"}, "": {},
	} {
		if got := p.Describe(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
		if got := Parse(p.String()); got != p {
			t.Errorf("Parse(%q) is %+v", p, got)
		}
	}
}
