//go:build linux

package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Namespace makes a namespace of the test's own, with labels where some are given, and returns its name.
func (c *Cluster) Namespace(t testing.TB, labels map[string]string) string {
	t.Helper()
	ns, err := c.Admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	return ns.Name
}

// DocumentedRules are the rights that the documentation asks users to grant on a shipped Lease.
func DocumentedRules(lease string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
		ResourceNames: []string{lease}, Verbs: []string{"get", "watch", "update"},
	}}
}

// CreateRule is the documented addition where the Lease is not shipped. RBAC cannot limit create by name.
func CreateRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}}
}

// Access is a ServiceAccount with a token and no rights but its Role's.
type Access struct {
	// Namespace and Account name the ServiceAccount.
	Namespace, Account string
	// User is the account as the API server's audit log names it.
	User string
	// TokenFile holds the bearer token.
	TokenFile string

	cluster *Cluster
	dir     string
}

// Grant makes a ServiceAccount that may do exactly what rules say, and a token for it.
func (c *Cluster) Grant(t testing.TB, namespace, account string, rules ...rbacv1.PolicyRule) Access {
	t.Helper()
	if err := c.Allow(t.Context(), namespace, account, rules...); err != nil {
		t.Fatal(err)
	}
	return c.AccessOf(t, namespace, account)
}

// Allow makes a ServiceAccount that may do exactly what rules say. It may be called from any goroutine.
func (c *Cluster) Allow(ctx context.Context, namespace, account string, rules ...rbacv1.PolicyRule) error {
	name := metav1.ObjectMeta{Namespace: namespace, Name: account}
	_, err := c.Admin.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: name}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create the ServiceAccount: %w", err)
	}
	_, err = c.Admin.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: name, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create the Role: %w", err)
	}
	_, err = c.Admin.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create the RoleBinding: %w", err)
	}
	return nil
}

// Token requests a token for a ServiceAccount. It may be called from any goroutine.
func (c *Cluster) Token(ctx context.Context, namespace, account string) (string, error) {
	token, err := c.Admin.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token: %w", err)
	}
	return token.Status.Token, nil
}

// AccessOf requests a token for a ServiceAccount that is there already.
func (c *Cluster) AccessOf(t testing.TB, namespace, account string) Access {
	t.Helper()
	a := Access{
		Namespace: namespace, Account: account, User: "system:serviceaccount:" + namespace + ":" + account,
		cluster: c, dir: t.TempDir(),
	}
	a.TokenFile = filepath.Join(a.dir, "token")
	a.requestToken(t)
	return a
}

// requestToken writes a fresh token to the account's file, by rename as the kubelet does.
func (a Access) requestToken(t testing.TB) {
	t.Helper()
	token, err := a.cluster.Token(t.Context(), a.Namespace, a.Account)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, a.TokenFile, []byte(token))
}

// Rotate makes all tokens of the account invalid, by making it anew under the same name, and writes a new one.
func (a Access) Rotate(t testing.TB) {
	t.Helper()
	accounts := a.cluster.Admin.CoreV1().ServiceAccounts(a.Namespace)
	if err := accounts.Delete(t.Context(), a.Account, metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete the ServiceAccount: %v", err)
	}
	again := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Account}}
	if _, err := accounts.Create(t.Context(), again, metav1.CreateOptions{}); err != nil {
		t.Fatalf("create the ServiceAccount again: %v", err)
	}
	a.requestToken(t)
}

// SetRules replaces what the account may do.
func (a Access) SetRules(t testing.TB, rules ...rbacv1.PolicyRule) {
	t.Helper()
	roles := a.cluster.Admin.RbacV1().Roles(a.Namespace)
	role, err := roles.Get(t.Context(), a.Account, metav1.GetOptions{})
	if err == nil {
		role.Rules = rules
		_, err = roles.Update(t.Context(), role, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatalf("change the Role: %v", err)
	}
}

// Kubeconfig writes a kubeconfig for the account that reaches the API server at host ("https://127.0.0.1:PORT",
// the cluster's own or a proxy's) and returns its path.
func (a Access) Kubeconfig(t testing.TB, host string) string {
	t.Helper()
	return a.cluster.writeKubeconfig(t, a.dir, host, a.Namespace, &clientcmdapi.AuthInfo{TokenFile: a.TokenFile})
}

// Config is the account's access for clients in the test process.
func (a Access) Config() *rest.Config {
	return &rest.Config{
		Host: a.cluster.Host(), BearerTokenFile: a.TokenFile, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: a.cluster.pki.CAFile()},
	}
}

// AdminConfig is the administrator's access for clients in the test process.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.config) }

// AdminKubeconfig writes a kubeconfig for the administrator and returns its path.
func (c *Cluster) AdminKubeconfig(t testing.TB) string {
	t.Helper()
	user := &clientcmdapi.AuthInfo{ClientCertificate: c.pki.CertFile("admin"), ClientKey: c.pki.KeyFile("admin")}
	return c.writeKubeconfig(t, t.TempDir(), c.Host(), "", user)
}

// CertKubeconfig writes a kubeconfig for the user of a certificate that the cluster's authority has issued, into dir.
func (c *Cluster) CertKubeconfig(dir, certificate string) (string, error) {
	return c.kubeconfig(dir, c.Host(), "", &clientcmdapi.AuthInfo{ClientCertificate: c.pki.CertFile(certificate), ClientKey: c.pki.KeyFile(certificate)})
}

// writeKubeconfig writes a kubeconfig for a user of the API server at host into dir, and returns its path.
func (c *Cluster) writeKubeconfig(t testing.TB, dir, host, namespace string, user *clientcmdapi.AuthInfo) string {
	t.Helper()
	path, err := c.kubeconfig(dir, host, namespace, user)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *Cluster) kubeconfig(dir, host, namespace string, user *clientcmdapi.AuthInfo) (string, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: host, CertificateAuthority: c.pki.CAFile()}
	config.AuthInfos["u"] = user
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u", Namespace: namespace}
	config.CurrentContext = "c"
	f, err := os.CreateTemp(dir, "kubeconfig-")
	if err == nil {
		err = errors.Join(f.Close(), clientcmd.WriteToFile(*config, f.Name()))
	}
	if err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	return f.Name(), nil
}

// BoundTo returns the account's access with a token that is bound to a pod, as the kubelet mounts it.
func (a Access) BoundTo(t testing.TB, pod *corev1.Pod) Access {
	t.Helper()
	a.dir = t.TempDir()
	a.TokenFile = filepath.Join(a.dir, "token")
	token, err := a.cluster.Admin.CoreV1().ServiceAccounts(a.Namespace).CreateToken(t.Context(), a.Account, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("request a token for pod %s: %v", pod.Name, err)
	}
	replaceFile(t, a.TokenFile, []byte(token.Status.Token))
	return a
}

// MemberRules are the rights that the documentation asks users to grant for the membership; with sweep for its sweep, too.
func MemberRules(sweep bool) []rbacv1.PolicyRule {
	verbs := []string{"get", "list", "watch", "create", "update"}
	if sweep {
		verbs = append(verbs, "delete")
	}
	return []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: verbs}}
}
