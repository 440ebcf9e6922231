//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// run campaigns until ctx ends, which is well, or until leadership is lost, which is an error.
func run(ctx context.Context, args []string) error {
	var c candidate
	var kubeconfig, journalPath string
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	flags.StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	flags.StringVar(&c.namespace, "namespace", "default", "the Lease's namespace")
	flags.StringVar(&c.lease, "lease", "", "the Lease's name")
	flags.StringVar(&c.identity, "identity", "", "this candidate's name in the Lease")
	flags.DurationVar(&c.leaseDuration, "lease-duration", 15*time.Second, "client-go's LeaseDuration")
	flags.DurationVar(&c.renewDeadline, "renew-deadline", 10*time.Second, "client-go's RenewDeadline")
	flags.DurationVar(&c.retryPeriod, "retry-period", 2*time.Second, "client-go's RetryPeriod")
	flags.BoolVar(&c.releaseOnCancel, "release-on-cancel", false, "client-go's ReleaseOnCancel")
	flags.StringVar(&journalPath, "journal", "", "the file to which is appended what the work is asked")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if c.config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	if c.journal, err = openJournal(journalPath); err != nil {
		return err
	}
	return errors.Join(c.campaign(ctx), c.journal.close())
}
