package webhook

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// URL is a validated webhook address.
type URL struct{ parsed *url.URL }

// ParseURL reads an http or https URL. It refuses credentials in it, which the pod's manifest and logs would show; a
// fragment; and a link-local address. The error is a [*field.Error] of URL.
func ParseURL(text string) (URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return URL{}, field.Quoted("URL", text, "a URL such as http://127.0.0.1:8080/leadership")
	case u.User != nil:
		return URL{}, field.Quoted("URL", u.Host, "a URL without a user or password")
	case u.Fragment != "":
		return URL{}, field.Quoted("URL", text, "a URL without a fragment, which is never sent")
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := allowed(address); err != nil {
			return URL{}, field.Quoted("URL", text, "a receiver on loopback or in the cluster: %s", err)
		}
	}
	return URL{u}, nil
}

// String prints the URL.
func (u URL) String() string { return u.parsed.String() }

// Loopback reports whether the URL names a receiver in the same pod.
func (u URL) Loopback() bool {
	host := u.parsed.Hostname()
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// metadataIPv6 is where AWS serves an instance's credentials over IPv6. It is not link-local, but must be refused too.
var metadataIPv6 = netip.MustParseAddr("fd00:ec2::254")

// dialer checks each address after the name is resolved, as a name may resolve to any address, and to another one each time.
func dialer() *net.Dialer {
	return &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address to dial: %w", err)
		}
		return allowed(target.Addr())
	}}
}

func allowed(address netip.Addr) error {
	bare := address.Unmap().WithZone("")
	if bare.IsLinkLocalUnicast() || bare.IsMulticast() || bare.IsUnspecified() || bare == metadataIPv6 {
		return fmt.Errorf("address %s is link-local or nobody's", address)
	}
	return nil
}

// Statuses is a set of HTTP statuses: codes such as 204, and classes such as 2xx.
type Statuses []span

type span struct{ from, to int } // inclusive

// ParseStatuses reads codes and classes separated by commas, such as "2xx" or "200,202". It refuses 1xx, which is no answer,
// and 3xx, as redirects are not followed. The error is a [*field.Error] of Success.
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
	for part := range strings.SplitSeq(text, ",") {
		s, ok := parseSpan(strings.TrimSpace(part))
		if !ok {
			return nil, field.Quoted("Success", part, "codes or classes of 2xx, 4xx or 5xx with commas between them, such as 2xx or 200,204")
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSpan(text string) (span, bool) {
	class, isClass := strings.CutSuffix(text, "xx")
	n, err := strconv.Atoi(class)
	s := span{n, n}
	if isClass {
		s = span{n * 100, n*100 + 99}
	}
	ok := err == nil && n <= 599 && s.from >= 200 && s.to <= 599 && s.from/100 != 3
	return s, ok
}

// Include reports whether the set has the status.
func (s Statuses) Include(status int) bool {
	return slices.ContainsFunc(s, func(one span) bool { return one.from <= status && status <= one.to })
}

// String prints the set as [ParseStatuses] reads it.
func (s Statuses) String() string {
	var parts []string
	for _, span := range s {
		if span.from == span.to {
			parts = append(parts, strconv.Itoa(span.from))
		} else {
			parts = append(parts, strconv.Itoa(span.from/100)+"xx")
		}
	}
	return strings.Join(parts, ",")
}
