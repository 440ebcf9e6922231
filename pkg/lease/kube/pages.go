package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
)

const (
	// largestPage is how many Leases a page of a list has. A page that is longer than an answer may be is asked for again with
	// half of them, down to one.
	largestPage = 250
	// mostPages bounds the requests of one list, so that a server whose list never ends is an error.
	mostPages = 1000
)

// pages reads a list page by page, and returns the version of all of it. It holds one page at a time.
func pages(ctx context.Context, request func() *rest.Request, take func([]coordinationv1.Lease)) (version string, err error) {
	next, size := "", largestPage
	for range mostPages {
		page := &coordinationv1.LeaseList{}
		err := request().Param("limit", strconv.Itoa(size)).Param("continue", next).Do(ctx).Into(page)
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge && size > 1 {
			size /= 2
			continue
		}
		if err != nil {
			return "", err
		}
		take(page.Items)
		if next = page.Continue; next == "" {
			return page.ResourceVersion, nil
		}
	}
	return "", fmt.Errorf("the list has more than %d pages", mostPages)
}
