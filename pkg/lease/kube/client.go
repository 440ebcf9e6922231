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
	"os"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

const (
	// largestBody bounds an answer, in bytes: etcd takes objects of 1.5 MiB at most.
	largestBody = 4 << 20
	// dialTimeout bounds a connection attempt beyond the life of the request that began it.
	dialTimeout = 10 * time.Second
)

// client is the REST client for Leases, made anew when the certificate authority has changed.
type client struct {
	config *rest.Config
	log    *slog.Logger

	mu   sync.Mutex
	rest *rest.RESTClient
	ca   []byte // the CA file as the REST client read it
}

func newClient(config *rest.Config, log *slog.Logger) (*client, error) {
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
		// Own dialers besides make client-go build a transport of its own for each client, with the CA as it is on
		// disk, where it would hand out a cached one.
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	if file := config.BearerTokenFile; file != "" {
		// client-go's own reader looks each minute, whatever the server says; this one also after a 401.
		config.BearerTokenFile, config.BearerToken = "", ""
		config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	c := &client{config: config, log: log}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return receiver{next} })
	return c, c.build()
}

// codecs know Leases and nothing else: a scheme of every API group would cost 15 MB of binary and 9 MiB of memory.
func codecs() runtime.NegotiatedSerializer {
	scheme := runtime.NewScheme()
	_ = coordinationv1.AddToScheme(scheme) // fails only on types that clash, which one group does not
	metav1.AddToGroupVersion(scheme, coordinationv1.SchemeGroupVersion)
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return serializer.NewCodecFactory(scheme).WithoutConversion()
}

// build makes the REST client from the configuration and the files that it names.
func (c *client) build() error {
	ca, err := c.readCA()
	if err != nil {
		return err
	}
	made, err := rest.RESTClientFor(c.config)
	if err != nil {
		return fmt.Errorf("make the API client: %w", err)
	}
	c.rest, c.ca = made, ca
	return nil
}

func (c *client) readCA() ([]byte, error) {
	if c.config.CAFile == "" || len(c.config.CAData) > 0 {
		return nil, nil
	}
	ca, err := os.ReadFile(c.config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the API server's certificate authority: %w", err)
	}
	return ca, nil
}

func (c *client) current() *rest.RESTClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest
}

// learn looks at a failed request: where the server's certificate was refused and the CA file has changed since
// it was read, the next attempt will use the new one. client-go looks at that file every 5 minutes only (v0.37,
// ClientsAllowCARotation), and a term is over long before.
func (c *client) learn(err error) {
	if untrusted := new(tls.CertificateVerificationError); !errors.As(err, &untrusted) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ca, err := c.readCA()
	if err != nil || len(ca) == 0 || bytes.Equal(ca, c.ca) {
		return // the caller reports the refused certificate, which is what matters
	}
	old := c.rest
	if err := c.build(); err != nil {
		c.log.Warn("rotated certificate authority cannot be used", slog.String("file", c.config.CAFile), slog.Any("error", err))
		return
	}
	utilnet.CloseIdleConnectionsFor(old.Client.Transport)
	c.log.Info("certificate authority rotated", slog.String("file", c.config.CAFile))
}

// streamKey marks the context of a request whose body is a watch, which bounds itself.
type streamKey struct{}

func withStream(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamKey{}, true)
}

// receiver bounds the body of the answer.
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
