//go:build linux

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// statusRow is what `status -o json` says of a Lease.
type statusRow struct {
	Namespace, Name, Kind, State, Workload, Holder, Leader, Token, TokenAtMost, Revision, Node string
	Estimated                                                                                  bool
	Marks                                                                                      []string
	Transitions                                                                                int
	Members                                                                                    *struct{ Live, Total, Expired, Left int }
	Valid, LastRenewal, TermAge                                                                *struct {
		Seconds   float64
		Estimated bool
	}
}

// statusReader reads elections with the rights of examples/manifests/status-reader.yaml, bound in one namespace or in all.
type statusReader struct {
	access     harness.Access
	kubeconfig string
}

func newStatusReader(t *testing.T, c *harness.Cluster, namespace string) statusReader {
	t.Helper()
	a := c.Grant(t, namespace, "reader")
	return statusReader{access: a, kubeconfig: a.Kubeconfig(t, c.Host())}
}

// run runs `status` as that account, and returns what it prints.
func (r statusReader) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return harness.RunCommand(t, harness.Binary(t), append([]string{"status", "--kubeconfig", r.kubeconfig}, args...)...)
}

// rows returns what `status -o json` prints of the Leases.
func (r statusReader) rows(t *testing.T, args ...string) []statusRow {
	t.Helper()
	out, code := r.run(t, append(args, "-o", "json")...)
	var list struct{ Items []statusRow }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("status %q: status %d, %v\n%s", args, code, err, out)
	}
	return list.Items
}

// rowOf returns the one row of that name.
func rowOf(t *testing.T, rows []statusRow, name string) statusRow {
	t.Helper()
	i := slices.IndexFunc(rows, func(r statusRow) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no row of %s in %+v", name, rows)
	}
	return rows[i]
}

// readerRole applies the manifest, and returns its role.
func readerRole(t *testing.T, c *harness.Cluster) rbacv1.ClusterRole {
	t.Helper()
	path := filepath.Join(harness.ModuleRoot(t), "examples", "manifests", "status-reader.yaml")
	if out, code := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", c.AdminKubeconfig(t), "apply", "-f", path); code != 0 {
		t.Fatalf("kubectl apply: status %d\n%s", code, out)
	}
	text, err := os.ReadFile(path)
	var role rbacv1.ClusterRole
	if err == nil {
		err = yaml.UnmarshalStrict(text, &role)
	}
	if err != nil {
		t.Fatal(err)
	}
	return role
}

// TestStatusRights: without a right the command names it and the rule that is missing; the manifest's role, bound in a namespace, shows that
// one, and bound in the cluster, all; it can change nothing.
func TestStatusRights(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	e := harness.NewElection(t, c, 15*time.Second)
	e.Ship(t)
	r := newStatusReader(t, c, e.Namespace)
	role := readerRole(t, c)
	if diff := cmp.Diff([]rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch"}}}, role.Rules); diff != "" {
		t.Errorf("the rules of the manifest (-want +got):\n%s", diff)
	}
	refused := func(place string, args ...string) {
		t.Helper()
		out, code := r.run(t, args...)
		for _, want := range []string{"not allowed: to list leases.coordination.k8s.io " + place, `resources: ["leases"], verbs: ["get", "list", "watch"]`} {
			if code != 1 || !strings.Contains(out, want) {
				t.Errorf("status %q: status %d; want 1, and %q in\n%s", args, code, want, out)
			}
		}
	}
	refused(`in namespace "`+e.Namespace+`": give your account a Role there`, "-n", e.Namespace)
	refused(`in namespace "`+e.Namespace+`"`, "-n", e.Namespace, "-w")

	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: r.access.Namespace, Name: r.access.Account}}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
	if _, err := c.Admin.RbacV1().RoleBindings(e.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "see-elections"}, RoleRef: ref, Subjects: subjects,
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, slack, "the binding counts", func() bool { _, code := r.run(t, "-n", e.Namespace); return code == 0 })
	if row := rowOf(t, r.rows(t, "-n", e.Namespace), e.Lease); row.State != "Unheld" || row.Workload != e.Workload {
		t.Errorf("the shipped Lease is %+v", row)
	}
	refused("in all namespaces: give your account a ClusterRole", "-A")
	if out, code := r.run(t, "-n", e.Namespace, "-o", "name"); code != 0 || out != "lease.coordination.k8s.io/"+e.Lease+"\n" {
		t.Errorf("names: status %d\n%s", code, out)
	}

	bound, err := c.Admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "see-elections-"}, RoleRef: ref, Subjects: subjects,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Admin.RbacV1().ClusterRoleBindings().Delete(t.Context(), bound.Name, metav1.DeleteOptions{}) // others share the cluster; it dies with it
	})
	harness.Eventually(t, slack, "the binding counts", func() bool { _, code := r.run(t, "-A"); return code == 0 })
	if row := rowOf(t, slices.DeleteFunc(r.rows(t, "-A"), func(r statusRow) bool { return r.Namespace != e.Namespace }), e.Lease); row.Kind != "lease-sidecar" {
		t.Errorf("among all namespaces the Lease is %+v", row)
	}
}

// TestStatusOfLiveElections shows a real election of ours with members, one of client-go's elector, and the Leases of nodes and API servers, as
// they are.
func TestStatusOfLiveElections(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	e, replicas, leader := elect(t, c, 5*time.Second, 2)
	admin := statusReader{kubeconfig: c.AdminKubeconfig(t)}
	for _, s := range replicas {
		join(t, e, s.Pod, s.State().Identity, "5d9c7f6b8", time.Now())
	}
	join(t, e, "web-9", "web-9_5f0e1a52-0000-4000-8000-000000000000", "", time.Now().Add(-time.Hour))
	join(t, e, "web-8", "", "", time.Now())

	row := rowOf(t, admin.rows(t, "-n", e.Namespace, "--measure", "20s"), e.Lease)
	if row.Leader != leader.Pod || row.State != "Held" || row.Workload != e.Workload || row.Transitions < 1 || row.Marks != nil {
		t.Errorf("%s leads, and status says %+v", leader.Pod, row)
	}
	if row.Estimated || row.Valid == nil || row.Valid.Estimated || row.Valid.Seconds <= 0 || row.Valid.Seconds > e.Duration.Seconds() {
		t.Errorf("after a renewal was seen, the validity is %+v (estimated %v)", row.Valid, row.Estimated)
	}
	if row.Members == nil || row.Members.Total != 3 || row.Members.Left != 1 || row.Revision != "5d9c7f6b8" || row.Node != "node-of-"+leader.Pod {
		t.Errorf("the members are %+v, the leader's revision %q, its node %q", row.Members, row.Revision, row.Node)
	}
	if at, token := lengthThenText(row.TokenAtMost), lengthThenText(leader.State().Token); row.Token == "" && at < token {
		t.Errorf("the token is said to be at most %s, and is %s", row.TokenAtMost, leader.State().Token)
	}
	text, code := admin.run(t, "deployment/web", "--prefix", e.Prefix, "-n", e.Namespace)
	for _, want := range []string{
		"the election of deployment/web.\n" + leader.Pod + " leads, on node node-of-" + leader.Pod, "kubectl exec -n " + e.Namespace + " " + leader.Pod + " -c lease-sidecar",
	} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("explained with status %d; want %q in\n%s", code, want, text)
		}
	}

	peers := harness.NewElection(t, c, 15*time.Second, harness.CreateRule())
	peer := peers.StartPeer(t, "peer-0", harness.PeerOptions{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second})
	harness.Eventually(t, slack, "client-go's leads", func() bool { leads, _ := peer.Leads(); return leads })
	if row := rowOf(t, admin.rows(t, "-n", peers.Namespace, "--measure", "10s"), peers.Lease); row.Kind != "client-go" || row.Leader != "peer-0" || row.State != "Held" || row.Estimated {
		t.Errorf("client-go's election is %+v", row)
	}

	node := "node-" + e.Namespace
	put(t, c, "kube-node-lease", node, nil, node, 40, time.Now())
	put(t, c, "kube-node-lease", node+"-lost", nil, node, 40, time.Now().Add(-5*time.Minute))
	nodes := admin.rows(t, "--kind", "nodes")
	if a, b := rowOf(t, nodes, node), rowOf(t, nodes, node+"-lost"); a.State != "Ready" || b.State != "NotReady" {
		t.Errorf("the nodes are %+v and %+v", a, b)
	}
	servers := admin.rows(t, "--kind", "apiservers")
	if len(servers) == 0 || servers[0].State != "Live" || servers[0].Kind != "apiserver" || servers[0].Namespace != "kube-system" {
		t.Errorf("the real API server's identity Lease is not shown as it is: %+v", servers)
	}
}

// lengthThenText orders versions as numbers.
func lengthThenText(v string) string { return string(rune(len(v))) + v }

// join writes the identity Lease of a member, as its sidecar does.
func join(t *testing.T, e *harness.Election, pod, identity, revision string, renewed time.Time) {
	t.Helper()
	name, err := naming.MemberLeaseName(naming.LeaseName(e.Lease), pod)
	if err != nil {
		t.Fatal(err)
	}
	put(t, e.Cluster, e.Namespace, string(name), map[string]string{
		naming.LabelMemberOf: e.Lease, naming.LabelPod: pod, naming.LabelNode: "node-of-" + pod, naming.LabelRevision: revision, naming.LabelHealth: "healthy",
	}, identity, 40, renewed)
}

// put writes a Lease that somebody renewed.
func put(t *testing.T, c *harness.Cluster, namespace, name string, labels map[string]string, holder string, seconds int32, renewed time.Time) {
	t.Helper()
	at := metav1.NewMicroTime(renewed)
	o := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &at},
	}
	if _, err := c.Admin.CoordinationV1().Leases(namespace).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestStatusWatch follows an election through a crash of its leader and an outage of the way to the API server: each term has a row with its
// exact token, the outage is reported, and the watch goes on.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	e, replicas, leader := elect(t, c, 3*time.Second, 2, promised...)
	line := c.Proxy(t)
	watcher := statusReader{kubeconfig: e.Access.Kubeconfig(t, line.Host())}
	e.Access.SetRules(t, append(harness.DocumentedRules(e.Lease), rbacv1.PolicyRule{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"list", "watch"},
	})...)
	log := filepath.Join(t.TempDir(), "status.log")
	harness.Eventually(t, slack, "the rights count", func() bool { _, code := watcher.run(t, "-n", e.Namespace); return code == 0 })
	p := harness.Launch(t, "status", log, harness.Binary(t), []string{"status", "--kubeconfig", watcher.kubeconfig, "-n", e.Namespace, "-w"}, os.Environ())
	shows := func(pattern string) func() bool {
		return func() bool { return regexp.MustCompile(`(?m)^` + pattern).MatchString(p.Log()) }
	}
	harness.Eventually(t, slack, "the first row", shows(e.Lease+` +deployment/web +`+leader.Pod+` `))

	leader.Stop(0)
	heir := harness.AwaitLeader(t, e.Duration+slack, harness.Others(replicas, leader)...)
	harness.Eventually(t, slack, "the next term with its token", shows(e.Lease+` +deployment/web +`+heir.Pod+` .* `+heir.State().Token+` .* Held\n`))

	line.Cut()
	line.Reset()
	harness.Eventually(t, slack, "the outage is reported", shows(`lease-sidecar: .*; next try in 1s\n`))
	leader.Start(t, e)
	heir.StepDown(t)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	line.Heal()
	harness.Eventually(t, 2*slack, "the term after the outage", shows(e.Lease+` +deployment/web +`+leader.Pod+` .*Held\n(.*\n)*`+e.Lease+` +deployment/web +`+leader.Pod+` .*Held\n`))
	_ = p.Signal(syscall.SIGINT) // it has not ended, as AwaitExit shows
	p.AwaitExit(t, slack, 0)
}
