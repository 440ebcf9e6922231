package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

func TestParse(t *testing.T) {
	const form, port, path = "HOST:PORT, :PORT or unix:PATH", "a port from 0 to 65535", "unix:PATH with a path of 1 to 107 bytes"
	for text, want := range map[string]struct {
		address  address.Address
		loopback bool
		fault    string // the begin of what the error wants; "" for none
	}{
		"127.0.0.1:4040":                    {address.Address{Host: "127.0.0.1", Port: "4040"}, true, ""},
		"localhost:080":                     {address.Address{Host: "127.0.0.1", Port: "80"}, true, ""},
		"[::1]:0":                           {address.Address{Host: "::1", Port: "0"}, true, ""},
		":4041":                             {address.Address{Port: "4041"}, false, ""},
		"0.0.0.0:1":                         {address.Address{Host: "0.0.0.0", Port: "1"}, false, ""},
		"unix:/run/s":                       {address.Address{Path: "/run/s"}, true, ""},
		"":                                  {fault: form},
		"4040":                              {fault: form},
		"127.0.0.1":                         {fault: form},
		"::1:4040":                          {fault: form},
		"127.0.0.1:x":                       {fault: port},
		"127.0.0.1:":                        {fault: port},
		"127.0.0.1:http":                    {fault: port},
		"127.0.0.1:70000":                   {fault: port},
		"web:80":                            {fault: "an IP address or localhost"},
		"unix:":                             {fault: path},
		"unix:/" + strings.Repeat("x", 107): {fault: path},
		"unix:@x":                           {fault: "unix:PATH with the path of a file: an abstract socket"},
	} {
		got, err := address.Parse(text)
		fault, _ := errors.AsType[*field.Error](err)
		switch {
		case want.fault == "" && (err != nil || got != want.address || got.Loopback() != want.loopback):
			t.Errorf("Parse(%q) = %+v, loopback %v, %v; want %+v, %v", text, got, got.Loopback(), err, want.address, want.loopback)
		case want.fault != "" && (fault == nil || fault.Field != "Address" || !strings.HasPrefix(fault.Want, want.fault)):
			t.Errorf("Parse(%q): %v; want the fault %q", text, err, want.fault)
		}
	}
}
