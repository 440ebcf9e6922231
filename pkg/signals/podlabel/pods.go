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

// pods reads and patches the pods of one namespace.
type pods struct {
	api       apiserver.Client
	namespace string
}

func (p pods) path(name string) string {
	path := "/api/v1/namespaces/" + url.PathEscape(p.namespace) + "/pods"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

func (p pods) get(ctx context.Context, name string) (metadata, error) {
	var pod struct{ Metadata metadata }
	answer, err := p.api.Send(ctx, http.MethodGet, p.path(name), nil)
	if err == nil {
		err = json.Unmarshal(answer, &pod)
	}
	if err != nil {
		return metadata{}, fmt.Errorf("read pod %s: %w", name, explain(err))
	}
	return pod.Metadata, nil
}

// list returns the pods that have the label.
func (p pods) list(ctx context.Context, label Label) ([]metadata, error) {
	var list struct{ Items []struct{ Metadata metadata } }
	answer, err := p.api.Send(ctx, http.MethodGet, p.path("")+"?labelSelector="+url.QueryEscape(label.String()), nil)
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("list the pods with label %s: %w", label, explain(err))
	}
	found := make([]metadata, 0, len(list.Items))
	for _, item := range list.Items {
		if item.Metadata.Name != "" && item.Metadata.UID != "" { // a patch could not be bound to this one pod
			found = append(found, item.Metadata)
		}
	}
	return found, nil
}

// patch sets label and annotation of that key, or removes them where they are nil. The UID is a precondition, so that
// a namesake is never touched; so is the version, where it is given.
func (p pods) patch(ctx context.Context, pod metadata, key string, label, annotation *string) error {
	var patch struct {
		Metadata struct {
			UID             string             `json:"uid"`
			ResourceVersion string             `json:"resourceVersion,omitempty"`
			Labels          map[string]*string `json:"labels"`
			Annotations     map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	patch.Metadata.UID, patch.Metadata.ResourceVersion = pod.UID, pod.ResourceVersion
	patch.Metadata.Labels = map[string]*string{key: label}
	patch.Metadata.Annotations = map[string]*string{key: annotation}
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("print the patch: %w", err)
	}
	if _, err := p.api.Send(ctx, http.MethodPatch, p.path(pod.Name), body); err != nil {
		return fmt.Errorf("label pod %s: %w", pod.Name, explain(err))
	}
	return nil
}

// gone reports whether the pod is not there any more, or is another one by now.
func gone(err error) bool {
	switch apiserver.Status(err) {
	case http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// explain adds the missing rule to a refusal.
func explain(err error) error {
	if apiserver.Status(err) != http.StatusForbidden {
		return err
	}
	return fmt.Errorf(`%w; the label needs this rule in the Role of the pod's ServiceAccount: `+
		`{apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "patch"]}, and an admission policy that lets the patch pass`, err)
}
