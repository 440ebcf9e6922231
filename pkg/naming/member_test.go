package naming_test

import (
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func TestMemberLeaseName(t *testing.T) {
	// printf web-5d9c-abcde | sha256sum | xxd -r -p | head -c16 | base32
	got, err := naming.MemberLeaseName("acme-752b7817f6", "web-5d9c-abcde")
	if want := naming.LeaseName("acme-752b7817f6-bwanm2cdubncjahqxqmtpwyd6u"); err != nil || got != want {
		t.Errorf("MemberLeaseName = %q, %v, want %q", got, err, want)
	}
	if _, err := naming.ParseLeaseName(string(got)); err != nil {
		t.Errorf("it is not the name of a Lease: %v", err)
	}
	if _, err := naming.MemberLeaseName(naming.LeaseName(strings.Repeat("a", 64)), "web"); err == nil {
		t.Error("an election's name of 64 characters is taken, which no label can carry")
	}
}
