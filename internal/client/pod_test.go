package client

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Whose answer is believed. No other pod's ever is; a pod that knows itself only in part asks for what it knows.
func TestOurs(t *testing.T) {
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	for name, tc := range map[string]struct {
		own      httpapi.Pod
		header   string
		identity string
		want     bool
	}{
		"nothing is known":                     {httpapi.Pod{}, "apps/web-b/" + two, "web-b_" + two, true},
		"our UID":                              {httpapi.Pod{UID: one, Name: "web-a"}, "apps/web-a/" + one, "custom_" + two, true},
		"our UID in capitals":                  {httpapi.Pod{UID: "AAAAAAAA-1111-4111-8111-111111111111"}, "//aaaaaaaa-1111-4111-8111-111111111111", "", true},
		"another UID":                          {httpapi.Pod{UID: one, Name: "web-a"}, "apps/web-b/" + two, "web-b_" + two, false},
		"our name, another UID":                {httpapi.Pod{UID: one, Name: "web-a"}, "apps/web-a/" + two, "web-a_" + two, false},
		"another UID, an identity like ours":   {httpapi.Pod{UID: one, Name: "web-a"}, "apps/web-b/" + two, "web-a_" + one, false},
		"our UID in the identity":              {httpapi.Pod{UID: one, Name: "web-a"}, "", "custom_" + one, true},
		"a random identity with our name":      {httpapi.Pod{UID: one, Name: "web-a", Namespace: "apps"}, "", "web-a_" + two, true},
		"a random identity with another name":  {httpapi.Pod{UID: one, Name: "web-a"}, "", "web-b_" + two, false},
		"our name in another namespace":        {httpapi.Pod{UID: one, Name: "web-a", Namespace: "apps"}, "other/web-a/", "web-a_" + two, false},
		"our name, its Lease in another":       {httpapi.Pod{Name: "web-a", Namespace: "other"}, "", "web-a_" + two, false},
		"our name, and no more is known of us": {httpapi.Pod{Name: "web-a"}, "apps/web-a/" + one, "custom_" + one, true},
		"another name, and no more is known":   {httpapi.Pod{Name: "web-b"}, "apps/web-a/" + one, "web-b_" + one, false},
		"only our UID, and the sidecar has no": {httpapi.Pod{UID: one}, "apps/web-a/", "web-a_" + two, false},
		"a header that is none":                {httpapi.Pod{UID: one, Name: "web-a"}, "one/two", "web-a_" + one, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ours(tc.own, httpapi.ParsePod(tc.header), leadership.Leadership{Identity: tc.identity, Namespace: "apps"}); got != tc.want {
				t.Errorf("got %v; want %v", got, tc.want)
			}
		})
	}
}
