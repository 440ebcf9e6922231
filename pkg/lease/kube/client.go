// Package kube keeps the Lease in the Kubernetes API (coordination.k8s.io/v1). A [Client] opens the [Store] of a Lease, and
// sends the requests for pods and Events ([apiserver.Client]).
//
// It promises one attempt a call, which ends when its context does; reads from the API server's quorum; writes conditional on
// UID and resourceVersion; and a watch on a connection of its own. It picks up rotated tokens and certificate authorities
// without a restart. It does not promise that a failed write was not applied, nor that a silent watch is alive: the election
// judges that by the renewals it should have seen.
//
// It speaks HTTP/1.1 on purpose: a request that times out closes its own connection, so that the next attempt dials anew, and
// the watch never shares one with the writes. HTTP/2 would put all of them on one connection, and a half-dead one would fail
// every attempt until a ping noticed.
//
//	Client ── Store ── get, create, update ─┬─ each on its own connection while it lasts ──→ API server
//	      ├─ Send (pods, Events) ───────────┘
//	      └─ watches ───────────────────────── each on its own, and never on one of theirs ──→ API server
package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
)

const (
	// largestBody bounds an answer, in bytes: etcd takes objects of 1.5 MiB at most.
	largestBody = 4 << 20
	// dialTimeout bounds a connection attempt beyond the life of the request that began it.
	dialTimeout = 10 * time.Second
)

// Client reaches the API server. It makes its connections anew when the certificate authority has changed. Its methods may be
// called from several goroutines at once.
type Client struct {
	config *rest.Config
	log    *slog.Logger

	mu     sync.Mutex
	rest   *rest.RESTClient
	stream *rest.RESTClient // for watches, so that none takes over the connection that the next write is to find open
	ca     []byte           // the CA file as the REST clients read it
	badCA  []byte           // what the CA file held when it could not be used, and that was logged; nil: it has been well since
}

var _ apiserver.Client = (*Client)(nil)

// NewClient returns a client for the API server and the credentials of config, as [LoadConfig] reads them. It copies config
// and contacts nobody; it fails where a certificate file that config names cannot be read. log takes what no caller would
// learn of otherwise, such as a rotated certificate authority.
func NewClient(config *rest.Config, log *slog.Logger) (*Client, error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &coordinationv1.SchemeGroupVersion
	config.NegotiatedSerializer = codecs()
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NextProtos = []string{"http/1.1"}
	config.DisableCompression = true // a Lease is a kilobyte
	config.QPS = -1                  // the election paces itself
	config.Timeout = 0               // each call has its own; a watch has none
	config.WarningHandlerWithContext = rest.NoWarnings{}
	if config.UserAgent == "" {
		config.UserAgent = "lease-sidecar"
	}
	if config.Dial == nil {
		// Its own dialer makes client-go build a new transport, with the CA as it is on disk, in place of a cached one.
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	if file := config.BearerTokenFile; file != "" {
		// client-go's own reader looks each minute; this one also after a 401.
		config.BearerTokenFile, config.BearerToken = "", ""
		config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	c := &Client{config: config, log: log}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return receiver{next} })
	if err := c.build(); err != nil {
		return nil, err
	}
	return c, nil
}

// Lease returns the store of the Lease with that namespace and name. It contacts nobody.
func (c *Client) Lease(namespace, name string) *Store {
	return &Store{client: c, namespace: namespace, name: name}
}

// Send implements [apiserver.Client]. An answer has at most 4 MiB. It speaks plain JSON: a typed client of every resource that
// a signal touches would double the binary.
func (c *Client) Send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	address, err := url.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("address the request: %w", err)
	}
	request := c.current().Verb(method).AbsPath(address.Path).MaxRetries(0)
	for name, values := range address.Query() {
		for _, value := range values {
			request = request.Param(name, value)
		}
	}
	switch method {
	case http.MethodPost:
		request = request.SetHeader("Content-Type", "application/json").Body(body)
	case http.MethodPatch:
		request = request.SetHeader("Content-Type", "application/merge-patch+json").Body(body)
	}
	result := request.Do(ctx)
	err = result.Error() // reads the server's own text, which the error of result.Raw lacks
	if err == nil {
		return result.Raw()
	}
	c.learn(err)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return nil, &apiserver.StatusError{Status: int(status.Status().Code), Err: shortened{err}}
	}
	return nil, fmt.Errorf("%s %s: %w", method, address.Path, err)
}

// codecs know Leases and nothing else: a scheme of every API group would cost 15 MB of binary and 9 MiB of memory.
func codecs() runtime.NegotiatedSerializer {
	scheme := runtime.NewScheme()
	_ = coordinationv1.AddToScheme(scheme) // fails only on types that clash, which one group does not
	metav1.AddToGroupVersion(scheme, coordinationv1.SchemeGroupVersion)
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return serializer.NewCodecFactory(scheme).WithoutConversion()
}

func (c *Client) build() error {
	ca, err := c.readCA()
	if err != nil {
		return err
	}
	made, err := rest.RESTClientFor(c.config)
	if err != nil {
		return fmt.Errorf("make the API client: %w", err)
	}
	stream, err := rest.RESTClientFor(c.config) // with a transport of its own, as each has its own dialer
	if err != nil {
		return fmt.Errorf("make the API client for watches: %w", err)
	}
	c.rest, c.stream, c.ca = made, stream, ca
	return nil
}

func (c *Client) readCA() ([]byte, error) {
	if c.config.CAFile == "" || len(c.config.CAData) > 0 {
		return nil, nil
	}
	ca, err := os.ReadFile(c.config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the API server's certificate authority: %w", err)
	}
	return ca, nil
}

func (c *Client) current() *rest.RESTClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest
}

// streams returns the client for watches.
func (c *Client) streams() *rest.RESTClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream
}

// learn has the next attempt use the new CA file where the server's certificate was refused and that file has changed.
// client-go itself looks only every 5 minutes (v0.37, ClientsAllowCARotation), when a term is long over.
func (c *Client) learn(err error) {
	if untrusted := new(tls.CertificateVerificationError); !errors.As(err, &untrusted) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ca, err := c.readCA()
	if err != nil || len(ca) == 0 {
		return // the caller reports the refused certificate, which is what matters
	}
	if bytes.Equal(ca, c.ca) {
		c.badCA = nil
		return
	}
	old, oldStream := c.rest, c.stream
	if err := c.build(); err != nil {
		if !bytes.Equal(ca, c.badCA) {
			c.log.Warn("rotated certificate authority cannot be used", "reason", "CertificateAuthorityUnusable", "file", c.config.CAFile, "error", err)
		}
		c.badCA = ca
		return
	}
	c.badCA = nil
	utilnet.CloseIdleConnectionsFor(old.Client.Transport)
	utilnet.CloseIdleConnectionsFor(oldStream.Client.Transport)
	c.log.Info("certificate authority rotated", "reason", "CertificateAuthorityRotated", "file", c.config.CAFile)
}

// streamKey marks the context of a request whose body is a watch, which bounds itself.
type streamKey struct{}

// receiver bounds the body of every answer but an open watch.
type receiver struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (r receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if stream := req.Context().Value(streamKey{}) != nil; !stream || resp.StatusCode != http.StatusOK {
		resp.Body = http.MaxBytesReader(nil, resp.Body, largestBody)
	}
	return resp, nil
}

// WrappedRoundTripper lets client-go find the transport below, for CloseIdleConnections.
func (r receiver) WrappedRoundTripper() http.RoundTripper { return r.next }
