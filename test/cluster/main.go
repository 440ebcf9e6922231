//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: go run . cluster | node | containerd | runc | helm | helm3 | s3

cluster      builds etcd, kube-apiserver and kubectl
node         builds kube-controller-manager, kube-scheduler, kubelet and kube-proxy
containerd   builds containerd, ctr and the shim for runc
runc         builds runc; it takes a C compiler and libseccomp
helm         builds helm
helm3        builds the last helm of version 3
s3           builds versitygw, an S3 server

Each prints the directory that holds the binaries. What is built already is not built again.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run builds what args name, prints its directory to out and progress to progress, and returns the exit status.
func run(ctx context.Context, args []string, out, progress io.Writer) int {
	if len(args) != 1 {
		_, _ = fmt.Fprint(progress, usage)
		return 2
	}
	var recipe recipe
	var err error
	switch args[0] {
	case "cluster":
		recipe, err = clusterRecipe(ctx)
	case "node":
		recipe, err = nodeRecipe(ctx)
	case "containerd":
		recipe = containerdRecipe()
	case "runc":
		recipe = runcRecipe()
	case "helm":
		recipe = helmRecipe(helmVersion)
	case "helm3":
		recipe = helmRecipe(helm3Version)
	case "s3":
		recipe = s3Recipe()
	default:
		_, _ = fmt.Fprint(progress, usage)
		return 2
	}
	if err == nil {
		var dir string
		if dir, err = recipe.provide(ctx, progress); err == nil {
			_, _ = fmt.Fprintln(out, dir)
			return 0
		}
	}
	_, _ = fmt.Fprintln(progress, "error:", err)
	return 1
}
