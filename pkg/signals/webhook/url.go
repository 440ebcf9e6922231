package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
)

// URL is a webhook's address, checked.
type URL struct{ parsed *url.URL }

// ParseURL reads an http or https URL. It refuses a user or password in it, which would be seen in the pod's manifest
// and in logs, a fragment, and an address that is link-local.
func ParseURL(text string) (URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return URL{}, fmt.Errorf("webhook URL %q: want one such as http://127.0.0.1:8080/leadership", text)
	case u.User != nil:
		return URL{}, fmt.Errorf("webhook URL for %s: it must not hold a user or password", u.Host)
	case u.Fragment != "":
		return URL{}, fmt.Errorf("webhook URL %q: a fragment (%q) is never sent: leave it out", text, "#"+u.Fragment)
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := allowed(address); err != nil {
			return URL{}, fmt.Errorf("webhook URL %q: %w", text, err)
		}
	}
	return URL{u}, nil
}

// String prints the URL.
func (u URL) String() string { return u.parsed.String() }

// Loopback reports whether the receiver is in the same pod, by the look of the URL.
func (u URL) Loopback() bool {
	host := u.parsed.Hostname()
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
