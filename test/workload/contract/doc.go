// Package contract holds what the sidecar answers against the two files that describe it to programs:
// docs/reference/leadership.schema.json (JSON Schema) and docs/reference/openapi.yaml (OpenAPI).
//
//	sidecars (processes) ── state.json, GET /leader, GET /events ──▶ schema: each document is valid
//	wrong documents ──▶ schema and pkg/leadership: both refuse
//
// It does not judge what a document says, only its form.
package contract
