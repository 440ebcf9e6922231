// Package contract holds what the sidecar answers against the two files that describe it to programs:
// docs/reference/leadership.schema.json (JSON Schema) and docs/reference/openapi.yaml (OpenAPI).
//
//	sidecars (processes) ── state.json, GET /leader, GET /events ──▶ schema: each document is valid
//	sidecars ── exchange: request and answer, for every path, method and status ──▶ page: each is as the page says
//	wrong documents and exchanges ──▶ refused, by pkg/leadership too
//
// It does not judge what a document says, only its form.
package contract
