# syntax=docker/dockerfile:1
# The image of lease-sidecar: one static binary, no shell, no root.
#
#   docker build -t lease-sidecar:dev .
#   docker buildx build --platform linux/amd64,linux/arm64 …
#
# From a registry of yours: --build-arg GO_IMAGE=registry.example.com/golang:1.26 --build-arg BASE_IMAGE=…. With the same two images, two
# builds make the same binary, to the bit; CONTRIBUTING.md says how to compare them.
ARG GO_IMAGE=golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# The build runs on the machine's own platform and cross-compiles: no emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
COPY internal internal
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH:-$(go env GOARCH)} \
    go build -trimpath -buildvcs=false -tags urfave_cli_no_docs,nethttpomithttp2 -ldflags "-s -w -X main.version=${VERSION}" -o /out/lease-sidecar ./cmd/lease-sidecar

FROM ${BASE_IMAGE}
ARG VERSION=dev
ARG REVISION=
LABEL org.opencontainers.image.title="lease-sidecar" \
      org.opencontainers.image.description="A Kubernetes sidecar that gives a replicated workload at most one active replica" \
      org.opencontainers.image.source="https://github.com/lease-sidecar/lease-sidecar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/lease-sidecar /lease-sidecar
# Numbers, not names: Kubernetes can check "runAsNonRoot" only on a number.
USER 65532:65532
ENTRYPOINT ["/lease-sidecar"]
CMD ["run"]
