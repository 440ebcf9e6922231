package podlabel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
)

// metadata is what the signal reads of a pod.
type metadata struct {
	Name            string            `json:"name"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
}

// path returns the API path of a pod, or of all pods of the namespace if name is empty.
func (s *Signal) path(name string) string {
	path := "/api/v1/namespaces/" + url.PathEscape(s.cfg.Namespace) + "/pods"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

func (s *Signal) get(ctx context.Context) (metadata, error) {
	var pod struct{ Metadata metadata }
	answer, err := s.cfg.API.Send(ctx, http.MethodGet, s.path(s.cfg.Pod), nil)
	if err == nil {
		err = json.Unmarshal(answer, &pod)
	}
	if err != nil {
		return metadata{}, fmt.Errorf("read pod %s: %w", s.cfg.Pod, explain(err))
	}
	return pod.Metadata, nil
}

func (s *Signal) list(ctx context.Context) ([]metadata, error) {
	var list struct{ Items []struct{ Metadata metadata } }
	answer, err := s.cfg.API.Send(ctx, http.MethodGet, s.path("")+"?labelSelector="+url.QueryEscape(s.cfg.Label.String()), nil)
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("list the pods with label %s: %w", s.cfg.Label, explain(err))
	}
	found := make([]metadata, 0, len(list.Items))
	for _, item := range list.Items {
		if item.Metadata.Name != "" && item.Metadata.UID != "" { // without them, no patch could be bound to this pod
			found = append(found, item.Metadata)
		}
	}
	return found, nil
}

// patch sets the label and the annotation, or removes them where nil. The UID is a precondition, so that a pod of the same
// name is never touched; so is the version, if given.
func (s *Signal) patch(ctx context.Context, pod metadata, label, annotation *string) error {
	var patch struct {
		Metadata struct {
			UID             string             `json:"uid"`
			ResourceVersion string             `json:"resourceVersion,omitempty"`
			Labels          map[string]*string `json:"labels"`
			Annotations     map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	patch.Metadata.UID, patch.Metadata.ResourceVersion = pod.UID, pod.ResourceVersion
	patch.Metadata.Labels = map[string]*string{s.cfg.Label.Key: label}
	patch.Metadata.Annotations = map[string]*string{s.cfg.Label.Key: annotation}
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("print the patch: %w", err)
	}
	if _, err := s.cfg.API.Send(ctx, http.MethodPatch, s.path(pod.Name), body); err != nil {
		return fmt.Errorf("label pod %s: %w", pod.Name, explain(err))
	}
	return nil
}

// gone reports whether the pod no longer exists or was replaced.
func gone(err error) bool {
	switch apiserver.Status(err) {
	case http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// explain adds the missing RBAC rule to a refusal.
func explain(err error) error {
	if apiserver.Status(err) != http.StatusForbidden {
		return err
	}
	return fmt.Errorf(`%w; the label needs this rule in the Role of the pod's ServiceAccount: `+
		`{apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "patch"]}, and an admission policy that lets the patch pass`, err)
}
