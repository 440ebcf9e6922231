package kube_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

func clientOf(t *testing.T, handler http.HandlerFunc) *kube.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return client(t, &rest.Config{Host: server.URL + "/behind/a/prefix", BearerToken: "secret"}, slog.DiscardHandler)
}

func TestSend(t *testing.T) {
	var got string
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.Join([]string{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}, " ")
		_, _ = io.WriteString(w, `{"kind":"Pod"}`)
	})
	for _, tc := range []struct{ method, path, body, want string }{
		{"GET", "/api/v1/pods?labelSelector=a%2Fb%3Dc", "", "GET /behind/a/prefix/api/v1/pods?labelSelector=a%2Fb%3Dc  Bearer secret "},
		{"PATCH", "/api/v1/x", "{}", "PATCH /behind/a/prefix/api/v1/x application/merge-patch+json Bearer secret {}"},
		{"POST", "/api/v1/x", "{}", "POST /behind/a/prefix/api/v1/x application/json Bearer secret {}"},
	} {
		answer, err := c.Send(t.Context(), tc.method, tc.path, []byte(tc.body))
		if err != nil || string(answer) != `{"kind":"Pod"}` {
			t.Errorf("%s: %q, %v", tc.method, answer, err)
		}
		if got != tc.want {
			t.Errorf("%s: the server got\n%s, want\n%s", tc.method, got, tc.want)
		}
	}
}

func TestSendFaults(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		status int // 0: no [apiserver.StatusError]
	}{
		"a Status": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(403)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no, never","code":403}`)
		}, 403},
		"a proxy's page":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) }, 502},
		"try again later":   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) }, 429},
		"a broken answer":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
		"an answer too big": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5<<20)) }, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			asked := 0
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) { asked++; tc.answer(w, r) })
			_, err := c.Send(t.Context(), "GET", "/api/v1/x", nil)
			if err == nil {
				t.Fatal("no error")
			}
			if got := apiserver.Status(err); got != tc.status {
				t.Errorf("got %v with status %d; want status %d", err, got, tc.status)
			}
			if tc.status != 0 && asked != 1 {
				t.Errorf("asked %d times, want one attempt", asked)
			}
			if name == "a Status" && !strings.Contains(err.Error(), "no, never") {
				t.Errorf("got %v; want what the server said", err)
			}
		})
	}
}
