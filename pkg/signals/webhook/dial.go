package webhook

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// metadataIPv6 is where AWS serves an instance's credentials over IPv6: not link-local, and as secret.
var metadataIPv6 = netip.MustParseAddr("fd00:ec2::254")

// dialer checks each address after the name was resolved: a name may point anywhere, and elsewhere at each look.
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
		return fmt.Errorf("address %s is link-local or nobody's: a webhook must be on loopback or in the cluster", address)
	}
	return nil
}
