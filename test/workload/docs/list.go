package docs

// Pages are the pages with commands that run.
var Pages = []Page{
	{Path: "README.md", Place: Cluster, Tree: true},
	{Path: "docs/how-to/add-to-a-pod.md", Place: Cluster},
	{Path: "docs/how-to/elect-in-jobs.md", Place: Cluster, Tree: true},
	{Path: "docs/how-to/migrate-from-classic.md", Place: Cluster, Before: "kubectl create deployment web --image registry.example.com/elector"},
	{Path: "docs/how-to/operate.md", Place: Cluster, Tree: true, Before: "kubectl apply -f examples/manifests/web.yaml\n" + sidecar},
	{Path: "docs/how-to/read-from-shell.md", Place: Machine, Before: sidecar, Programs: map[string]string{
		"do-the-work": `echo "works ${2-}"`, "my-daemon": "echo my-daemon runs; exec sleep 60",
	}},
	{Path: "docs/how-to/route-to-the-leader.md", Place: Cluster, Tree: true},
	{Path: "docs/how-to/run-a-command.md", Place: Machine},
	{Path: "docs/how-to/see-who-leads.md", Place: Cluster, Tree: true, Before: twoMembers},
	{Path: "docs/how-to/show-that-it-runs.md", Place: Machine, Before: sidecar, Programs: map[string]string{
		"my-app": "echo my-app runs; exec sleep 60", "my-daemon": "echo my-daemon runs; exec sleep 60",
	}},
	{Path: "docs/how-to/see-the-members.md", Place: Cluster, Tree: true, Before: electionLeases},
	{Path: "docs/how-to/signal-a-process.md", Place: Machine},
	{Path: "docs/how-to/use-with-helm.md", Place: Cluster, Tree: true},
	{Path: "docs/how-to/troubleshoot.md", Place: Cluster, Before: electionLeases},
	{Path: "docs/how-to/write-a-client.md", Place: Machine},
	{Path: "docs/reference/lease.md", Place: Machine},
	{Path: "docs/tutorial/first-election.md", Place: Machine, Tree: true, Built: true},
	{Path: "examples/README.md", Place: Machine, Tree: true},
	{Path: "examples/helm/leader-child/README.md", Place: Cluster, Tree: true},
	{Path: "examples/helm/leader-stateful/README.md", Place: Cluster, Tree: true},
	{Path: "examples/helm/leader-web/README.md", Place: Cluster, Tree: true},
}

// sidecar starts a replica that leads, with its files and its port at the defaults of the pages.
const sidecar = `mkdir -p /var/run/lease-sidecar
lease-sidecar run --store dir:$HOME/store --workload deployment/web --lease-duration 3s \
  --signal-dir /var/run/lease-sidecar --probe-address off 2>$HOME/log &
until lease-sidecar wait --for leader; do sleep 0.1; done`

// twoMembers runs a replica that leads by a Lease of the cluster, and a standby, with membership. Each has seen the other alive
// before the page begins: a leader hands over to no member that it has not seen alive.
const twoMembers = `kubectl apply -f examples/manifests/web.yaml
printf 'pod-template-hash="6d4cf56db6"\n' >$HOME/labels
replica() {
  mkdir $HOME/$1
  POD_NAME=$1 POD_UID=$(cat /proc/sys/kernel/random/uuid) NODE_NAME=$2 lease-sidecar run --prefix acme --workload deployment/web --membership \
    --labels-file $HOME/labels --signal-dir $HOME/$1 --http-address 127.0.0.1:$3 --probe-address off --drain-timeout 50ms 2>$HOME/$1.log &
}
replica web-5d9 node1 4040
until lease-sidecar wait --for leader; do sleep 0.1; done
replica web-7c4 node2 4042
until kubectl get lease -l lease-sidecar.dev/pod=web-7c4 | grep web-7c4; do sleep 0.1; done
for pod in web-5d9 web-7c4; do until grep -q '"live":2' $HOME/$pod/members.json; do sleep 0.1; done; done`

// electionLeases makes an election's Lease with its Role, and the Lease of another workload.
const electionLeases = `kubectl create -f - <<'END'
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "acme-752b7817f6", "labels": {"lease-sidecar.dev/election": "true"}}},
  {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "shared", "annotations": {"lease-sidecar.dev/workload": "deployment/web"}}}]}
END
kubectl create role web-election --verb get,watch,update --resource leases.coordination.k8s.io --resource-name acme-752b7817f6
kubectl create rolebinding web-election --role web-election --serviceaccount default:web`

// Elsewhere are the commands that another test runs, or that nothing here can run.
var Elsewhere = []Exception{
	{"README.md", "docker build ", "needs nodes: e2e.TestReadme plays all commands of the block"},
	{"README.md", "kubectl rollout ", "the same"},
	{"README.md", "kubectl logs ", "the same"},
	{"README.md", "end=$(stat ", "examples.TestReadmeAsks runs it, before, in and after a term"},
	{"README.md", `[ "$end" `, "the same"},
	{"README.md", "curl --fail ", "the same"},
	{"docs/how-to/add-to-a-pod.md", "kubectl delete pod ", "needs a kubelet: no pod holds the Lease here"},
	{"docs/how-to/add-to-a-pod.md", "kubectl get lease acme-752b7817f6 # the next", "the same"},
	{"docs/how-to/fencing.md", "", "the tests of test/workload/fencing run each block, and check that they do"},
	{"docs/how-to/work-through-a-queue.md", "", "the tests of test/workload/fencing run the worker, and each block"},
	{"docs/how-to/operate.md", "kubectl exec ", "needs a kubelet: no pod runs here"},
	{"docs/how-to/operate.md", "kubectl port-forward ", "the same; the request to the port is sent to a sidecar that runs here"},
	{"docs/how-to/operate.md", "kubectl rollout ", "needs the controller of Deployments, which does not run here"},
	{"docs/how-to/operate.md", "go tool pprof ", "integration.TestProfilesOnDemand runs it"},
	{"docs/how-to/operate.md", "curl --silent 'http://localhost:6060/debug/", "the same test asks for it"},
	{"docs/how-to/troubleshoot.md", "kubectl logs ", "needs a kubelet: no pod runs here"},
	{"docs/how-to/troubleshoot.md", "kubectl port-forward ", "the same"},
	{"docs/how-to/troubleshoot.md", "curl http://localhost:4041/", "the same; test/workload/contract asks both of a sidecar"},
	{"docs/how-to/use-with-helm.md", "helm test ", "needs a kubelet: no pod runs here"},
	{"docs/how-to/use-with-helm.md", "kubectl run ", "the same"},
	{"docs/how-to/write-a-client.md", "curl --silent --max-time 1 --header", "a handover waits for it only in the middle of one: test/workload/contract sends it there"},
}
