# `make help` lists the targets. `make verify` is what CI runs.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

BINARY  := bin/lease-sidecar
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := $(GO) build -trimpath -buildvcs=false -tags urfave_cli_no_docs,nethttpomithttp2 -ldflags '$(LDFLAGS)'

# Tools are pinned here, outside go.mod, and kept apart by version in the user's cache.
CACHE         ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lease-sidecar
TOOLS         := $(CACHE)/tools
GOTESTSUM     := $(TOOLS)/gotestsum@v1.13.0/gotestsum
GOLANGCI_LINT := $(TOOLS)/golangci-lint@v2.15.0/golangci-lint
GOVULNCHECK   := $(TOOLS)/govulncheck@v1.9.0/govulncheck
ACTIONLINT    := $(TOOLS)/actionlint@v1.7.12/actionlint
CYCLONEDX     := $(TOOLS)/cyclonedx-gomod@v1.10.0/cyclonedx-gomod
COSIGN        := $(TOOLS)/cosign@v3.1.3/cosign

# The race detector needs a C compiler and the C library's headers; without both, nothing is built with C.
RACE := $(shell printf '\043include <pthread.h>\nint main(void) { return 0; }\n' | \
	$$($(GO) env CC) -pthread -x c -o /dev/null - 2>/dev/null && echo -race)

# How much of what takes long: how many worlds the simulation lives through; the seed of the chaos and the soak (0: a fresh
# one, which is printed), their time, and that of each fuzz target.
SEEDS    ?= 10000
SEED     ?= 1
FUZZTIME ?= 10s
CHAOS    ?= 10m
IDLE     ?= 5m
DURATION ?= 1h
# How many seeds the chaos of work plays at once, from SEED on.
WORK_SEEDS ?= 3
# What the benchmarks measure: a pattern of tests, or all that have figures. BEFORE=path/of/another/build is measured beside this one.
# Each part has a file of results of its own, so that it replaces no other: make bench-report puts several together.
# BENCH_FLAGS are flags of test/bench, such as -candidates.
BENCH_RUN ?=
BENCH_FLAGS ?=
BENCH     := $(if $(BENCH_RUN),'$(BENCH_RUN)',"$$($(GO) run ./test/bench/report tests)")
BENCH_OUT := bin/bench$(if $(BENCH_RUN),-$(shell printf %s '$(BENCH_RUN)' | tr -cs 'A-Za-z0-9' - | sed 's/^-//; s/-$$//')).jsonl
BEFORE_IS := $(if $(BEFORE),SIDECAR_BEFORE=$(abspath $(BEFORE)))

# What to test, and how. For a part of it: make unit PKG=./pkg/elector RUN=TestTranscripts
PKG     ?= $$($(GO) list ./... | grep -v -e /test/harness -e /test/integration -e /test/histories/apiserver -e /test/chaos -e '/test/bench$$' -e /test/e2e -e /test/workload/docs)
RUN     ?= .
E2E_RUN ?= .
TIMEOUT ?= 40m
# How many tests with pods run at once. Each starts three pods or more, with four or more processes each: more than three tests at once
# on two cores wait for each other. COST is for how long TestCost measures, ROLLOUTS how often TestRollout rolls out.
E2E_PARALLEL ?= 3
E2E_FLAGS    := $(if $(COST),-cost $(COST)) $(if $(ROLLOUTS),-rollouts $(ROLLOUTS))
# A skipped test is a failed run: what cannot be tested here is not known to work. So is a run without a test.
NO_SKIPS := sh -c 'test $$TESTS_SKIPPED = 0 || { echo "FAIL: $$TESTS_SKIPPED tests were skipped; none may be" >&2; exit 1; }; \
	test $$TESTS_TOTAL != 0 || { echo "FAIL: no test ran; in PKG no test has a name that matches RUN" >&2; exit 1; }'
GO_TEST  := $(if $(RACE),,CGO_ENABLED=0) $(GOTESTSUM) --format pkgname --format-hide-empty-pkg --post-run-command '$(subst ','\'',$(NO_SKIPS))' -- \
	$(RACE) -shuffle=on -count=1 -timeout $(TIMEOUT) -run '$(RUN)'

.DEFAULT_GOAL := help
# Prerequisites come in their order, and no two suites run at once: they measure time.
.NOTPARALLEL:

##@ For a first look

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## three replicas on this machine, no cluster: watch the leader move (15 s after the build)
	$(BINARY) demo

.PHONY: build
build: ## the stripped, static binary, into bin/
	CGO_ENABLED=0 $(BUILD) -o $(BINARY) ./cmd/lease-sidecar

.PHONY: size
size: build ## what the binary weighs, in bytes (make test holds it to its budget)
	@wc -c < $(BINARY)

##@ Tests

# A make of its own runs the tests: only after the prerequisites are there can it see the C compiler.
.PHONY: test
test: prerequisites ## all tests, shuffled, none skipped, with the race detector; installs what they need (as root)
	$(MAKE) unit integration

.PHONY: prerequisites
prerequisites:
	@.ci/prerequisites

.PHONY: unit
unit: $(GOTESTSUM) race-note ## the tests that need no API server
	$(GO_TEST) $(PKG)

.PHONY: integration
integration: $(GOTESTSUM) race-note cluster ## the tests against a real etcd and kube-apiserver
	cd test/cluster && $(GO_TEST) .
	$(GO_TEST) ./test/harness ./test/integration ./test/histories/apiserver
	$(GO_TEST) ./test/workload/docs
	$(GO_TEST) ./test/chaos

# E2E_RUN is a pattern of tests. The figures that they measure come at the end. Where it fails, the logs of all components are in the cache.
.PHONY: e2e
e2e: $(GOTESTSUM) ## pods on two real nodes, as root: image, manifests, faults (E2E_RUN='TestFaults/of_pods/app'; E2E_RUN=TestCost COST=5m)
	@.ci/prerequisites e2e
	@$(MAKE) --no-print-directory nodes
	@mkdir -p bin
	$(GOTESTSUM) --format testname --jsonfile bin/e2e.json --post-run-command '$(subst ','\'',$(NO_SKIPS))' -- \
		-count=1 -timeout $(TIMEOUT) -p 1 -parallel $(E2E_PARALLEL) -run '$(E2E_RUN)' $(if $(strip $(E2E_FLAGS)),./test/e2e $(E2E_FLAGS),./test/e2e/...)
	@sed -n 's/.*"Test":"\([^"]*\)","Output":".*figure: \(.*\)\\n".*/\1: \2/p' bin/e2e.json

# A part of its own, so that a first build shows its progress, and takes nothing of the tests' time.
.PHONY: nodes
nodes: ## build what runs pods into the user's cache: Kubernetes, containerd, runc, helm (once; a quarter of an hour)
	@for part in cluster node containerd runc helm; do $(GO) run -C test/cluster . $$part || exit; done

.PHONY: handovers
handovers: ## 200 handovers in each of fourteen ways, under work that takes up to 2 s to stop (ten minutes)
	$(GO) test ./test/workload -run TestTheNextNeverStarts -v -count=1 -timeout 40m -parallel 7 -handovers 200 -stop 2s

# All subjects of a figure are measured in one run. A part of the benchmarks prints its tables, and leaves the page as it is.
.PHONY: bench
bench: cluster ## all figures of docs/explanation/performance.md, beside client-go's elector (half an hour; BENCH_RUN=TestHandover IDLE=5m BEFORE=PATH)
	@mkdir -p bin
	rm -f $(BENCH_OUT)
	$(GO) run ./test/bench/report machine $(BENCH_OUT)
	$(BEFORE_IS) GO='$(GO)' .ci/bench $(BENCH_OUT) $(BENCH) -for $(IDLE) $(BENCH_FLAGS)
	$(GO) run ./test/bench/report $(if $(BENCH_RUN),print,write) $(BENCH_OUT)

.PHONY: bench-report
bench-report: ## write the page and its plots again, from the results that are kept, or from others (RESULTS='bin/bench.jsonl bin/bench-TestFleet.jsonl')
	$(GO) run ./test/bench/report write $(RESULTS)

.PHONY: bench-short
bench-short: cluster ## the benchmarks with few samples, into bin/bench-short.jsonl (four minutes)
	@mkdir -p bin
	rm -f bin/bench-short.jsonl
	$(GO) run ./test/bench/report -short machine bin/bench-short.jsonl
	$(BEFORE_IS) $(GO) test ./test/bench -v -short -count=1 -timeout 20m -run $(BENCH) -results $(abspath bin/bench-short.jsonl)

.PHONY: bench-check
bench-check: bench-short ## the same, and compare the ratios with the bounds in test/bench/report/bounds
	$(GO) run ./test/bench/report check bin/bench-short.jsonl

.PHONY: bench-idle
bench-idle: ## the part of make bench about idle cost and planned handovers (IDLE=5m BEFORE=path/of/another/build)
	$(MAKE) bench BENCH_RUN='TestIdle|TestHandover'

.PHONY: cluster
cluster: ## build the pinned etcd, kube-apiserver, kubectl and helm into the user's cache, and client-go's peers (once; minutes)
	$(GO) run -C test/cluster . cluster
	$(GO) run -C test/cluster . helm
	$(GO) run -C test/cluster . helm3
	CGO_ENABLED=0 $(GO) build -C test/peer -ldflags '-s -w' -o /dev/null .
	CGO_ENABLED=0 $(GO) build -C test/peer -modfile=v0.36.mod -ldflags '-s -w' -o /dev/null .

.PHONY: race-note
race-note:
	@test -n '$(RACE)' || echo 'WARNING: no working C compiler, so the tests run WITHOUT the race detector (apt-get install gcc libc6-dev)' >&2

.PHONY: simulate
simulate: ## 10,000 elections in virtual time under random faults (SEEDS=…; at most a quarter of an hour)
	$(GO) test ./test/simulate -run '^TestSimulation$$' -v -count=1 -timeout 60m -twice -seeds $(SEEDS)

.PHONY: chaos
chaos: cluster ## random faults on a real API server, client-go's elector beside it (CHAOS=10m)
	$(GO) test ./test/chaos -run '^TestChaos$$' -v -count=1 -timeout 24h -duration $(CHAOS) -seed $(SEED) $(if $(REPORT),-report $(abspath $(REPORT)))

.PHONY: chaos-work
chaos-work: cluster ## random faults on replicas with real workloads, judged by what those wrote down (CHAOS=10m WORK_SEEDS=3)
	$(GO) test ./test/chaos -run '^TestChaosOfWork$$' -v -count=1 -timeout 24h -duration $(CHAOS) -seed $(SEED) -seeds $(WORK_SEEDS) $(if $(REPORT),-report $(abspath $(REPORT)))

.PHONY: soak
soak: cluster ## the same for long, gently, with an eye on memory, descriptors and requests (DURATION=1h)
	$(GO) test ./test/chaos -run '^TestChaos$$' -v -count=1 -timeout 0 -gentle -duration $(DURATION) -seed $(SEED)

.PHONY: mutants
mutants: ## break the election and the signals in known ways: each must turn a named test red
	$(GO) run ./test/mutants

.PHONY: controls
controls: ## the same for the simulation: each control must show it overlaps
	$(GO) run ./test/mutants -controls

.PHONY: nightly
nightly: ## what takes hours: fresh seeds, long fuzzing, half an hour of chaos of each kind (prints the seeds; REPORTS=DIR)
	$(if $(REPORTS),mkdir -p $(REPORTS))
	$(MAKE) mutants controls
	$(GO) test ./test/simulate -run '^TestSimulation$$' -v -count=1 -timeout 3h -first $$(date +%s)000 -seeds 30000
	$(MAKE) fuzz FUZZTIME=5m
	$(MAKE) chaos CHAOS=30m SEED=0 $(if $(REPORTS),REPORT=$(REPORTS)/chaos.json)
	$(MAKE) chaos-work CHAOS=30m SEED=0 $(if $(REPORTS),REPORT=$(REPORTS)/chaos-work.json)
	$(MAKE) handovers
	$(MAKE) e2e E2E_RUN='TestRollout|TestCost' ROLLOUTS=5 COST=5m

.PHONY: fuzz
fuzz: ## every fuzz target for ten seconds each (FUZZTIME=5m for longer)
	@set -e; for pkg in $$($(GO) list ./cmd/... ./internal/... ./pkg/...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s $$pkg; \
		done; \
	done

.PHONY: cover
cover: ## what the unit tests reach, by function (cover.html shows the lines)
	$(GO) test -count=1 -coverpkg=./pkg/...,./cmd/... -coverprofile=cover.out $(PKG)
	$(GO) tool cover -html=cover.out -o cover.html
	$(GO) tool cover -func=cover.out

##@ Before you commit

.PHONY: verify
verify: prerequisites check test mutants controls lint ## everything that CI runs
	$(MAKE) chaos CHAOS=2m
	$(MAKE) chaos-work CHAOS=90s
	$(MAKE) bench-check
	$(MAKE) e2e

.PHONY: check
check: fmt-check vet cross ## the quick part of it: formatting, vet, other platforms

.PHONY: fmt-check
fmt-check:
	@test -z "$$(gofmt -l cmd internal pkg test examples docs)" || { echo 'FAIL: not formatted (make fmt):' >&2; gofmt -l cmd internal pkg test examples docs >&2; exit 1; }

.PHONY: vet
vet:
	$(GO) vet ./...
	$(GO) vet -C test/cluster .
	$(GO) vet -C test/peer .

# The other architecture of the image, and the commands for people's own machines, build too.
.PHONY: cross
cross:
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build -buildvcs=false -o /dev/null ./cmd/lease-sidecar
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build -buildvcs=false -o /dev/null ./cmd/lease-sidecar
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -buildvcs=false -o /dev/null ./cmd/lease-sidecar

.PHONY: lint
lint: $(GOLANGCI_LINT) $(ACTIONLINT) ## golangci-lint for the code, shellcheck for the scripts, actionlint for the workflows
	$(GOLANGCI_LINT) run
	shellcheck .ci/* docs/pictures/*.sh examples/*/*.sh
	$(ACTIONLINT)

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## format the code (gofumpt)
	$(GOLANGCI_LINT) fmt

.PHONY: docs
docs: ## write what is generated: docs/reference/cli.md, and the values in the README files of the charts
	$(GO) test -count=1 ./test/repo -run TestReferenceIsTheCommandsOwn -update
	$(GO) test -count=1 ./test/charts -run TestValuesTables -update

.PHONY: pictures
pictures: ## draw the pictures of the documents (docs/pictures)
	$(GO) run ./docs/pictures

.PHONY: vuln
vuln: $(GOVULNCHECK) ## known vulnerabilities in what we import (asks vuln.go.dev, or a copy: VULNDB=file:///…)
	GOTOOLCHAIN=$$(sed -n 's/^toolchain //p' go.mod) $(GOVULNCHECK) $(if $(VULNDB),-db $(VULNDB)) ./...

##@ Release

# The Dockerfile builds with the same flags: by the same version of Go its binary is this one, to the bit.
.PHONY: dist
dist: $(CYCLONEDX) ## the files of a release, into dist/: binaries with SBOMs, charts, the plugin of kubectl, checksums, notes (VERSION=v0.1.0)
	rm -rf dist
	mkdir dist
	.ci/release-notes '$(VERSION)' >dist/notes.md
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch CGO_ENABLED=0 $(BUILD) -o dist/lease-sidecar-linux-$$arch ./cmd/lease-sidecar && \
		$(CYCLONEDX) bin -json -std -noserial -notimestamp -version '$(VERSION)' -output dist/lease-sidecar-linux-$$arch.cdx.json dist/lease-sidecar-linux-$$arch || exit; done
	helm=$$($(GO) run -C test/cluster . helm) && "$$helm/helm" package examples/helm/* --destination dist
	$(MAKE) krew
	cd dist && sha256sum lease-sidecar-linux-* *.tgz kubectl-*.tar.gz >SHA256SUMS

.PHONY: version
version: ## write the version of the newest release in CHANGELOG.md into charts, manifests and documents
	.ci/set-version
	$(MAKE) docs

# cosign asks its environment who signs: on GitHub the workflow (COSIGN_YES=true), elsewhere a person, or a key (COSIGN_KEY).
.PHONY: sign
sign: $(COSIGN) ## sign the checksums in dist/ (IMAGE=…@sha256:… signs that image, too)
	$(COSIGN) sign-blob --bundle dist/SHA256SUMS.sigstore.json dist/SHA256SUMS
	$(if $(IMAGE),$(COSIGN) sign '$(IMAGE)')

.PHONY: publish-charts
publish-charts: $(COSIGN) ## push the charts in dist/ to a registry, sign them, and add them to the notes (TO=oci://registry.example.com/charts)
	helm=$$($(GO) run -C test/cluster . helm) && HELM="$$helm/helm" COSIGN=$(COSIGN) .ci/publish-charts '$(TO)' >>dist/notes.md

.PHONY: krew
krew: ## the plugin of kubectl, into dist/: an archive for each platform, and the manifest for krew (VERSION=v0.1.0)
	mkdir -p dist/plugin
	for on in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64; do \
		GOOS=$${on%-*} GOARCH=$${on#*-} CGO_ENABLED=0 $(BUILD) -o dist/plugin/lease-sidecar-$$on ./cmd/lease-sidecar || exit; done
	.ci/krew '$(VERSION)' dist/plugin dist >dist/lease-sidecar.yaml
	rm -r dist/plugin

##@ Housekeeping

.PHONY: tools
tools: $(GOTESTSUM) $(GOLANGCI_LINT) $(GOVULNCHECK) $(ACTIONLINT) $(CYCLONEDX) cluster ## install all pinned tools

.PHONY: clean
clean: ## remove what was built here (the tools stay in the user's cache)
	rm -rf bin dist cover.out cover.html

$(GOTESTSUM):
	GOBIN=$(@D) $(GO) install gotest.tools/gotestsum@v1.13.0

$(GOLANGCI_LINT):
	@echo 'building golangci-lint: a minute or two, once'
	GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

$(GOVULNCHECK):
	GOBIN=$(@D) $(GO) install golang.org/x/vuln/cmd/govulncheck@v1.9.0

$(ACTIONLINT):
	GOBIN=$(@D) $(GO) install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

$(CYCLONEDX):
	GOBIN=$(@D) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

$(COSIGN):
	@echo 'building cosign: some minutes, once'
	GOBIN=$(@D) $(GO) install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
