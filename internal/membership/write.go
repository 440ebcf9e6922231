package membership

import (
	"context"
	"errors"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// errSuperseded says that another process of this pod keeps the Lease now.
var errSuperseded = errors.New("another process of this pod keeps the member's Lease: this one writes again once that has ended")

func (b *beat) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.RenewInterval)
	defer cancel()
	want := b.want()
	want.joined = b.joined
	return b.write(ctx, want)
}

// write has the Lease say what is wanted. It reads the Lease anew where that was changed by somebody else.
func (b *beat) write(ctx context.Context, want own) (err error) {
	for range attempts {
		if want.identity != b.holds {
			b.joined, want.joined = "", ""
		}
		written := true
		switch {
		case b.known.Version == "":
			written, err = b.claim(ctx, want)
		case b.superseded(want):
			b.known = lease.Member{}
			return errSuperseded
		default:
			if want.joined == "" {
				want.joined = joinedOf(b.known, want.identity)
			}
			err = b.put(ctx, "renew", b.deps.Members.Update, want.onto(b.known, b.deps.Clock.Wall()), want)
		}
		switch {
		case errors.Is(err, lease.ErrConflict), errors.Is(err, lease.ErrNotFound), errors.Is(err, lease.ErrExists):
			b.known = lease.Member{}
		case err != nil:
			return err
		case !written:
			err = lease.ErrConflict // it was read, and not written yet
		case want.joined == "":
			want.joined = b.joined // known only now: say it
		default:
			return nil
		}
	}
	return err
}

// claim makes the Lease, or else reads it: whatever it says, it bears this pod's name. It makes it first where this process has
// not written yet, as most pods are new.
func (b *beat) claim(ctx context.Context, want own) (written bool, err error) {
	m := want.onto(lease.Member{Name: b.cfg.leaseName()}, b.deps.Clock.Wall())
	if b.holds == "" {
		err := b.put(ctx, "create", b.deps.Members.Create, m, want)
		if !errors.Is(err, lease.ErrExists) {
			return true, err
		}
	}
	if err := b.budget.take(ctx); err != nil {
		return false, err
	}
	known, err := b.deps.Members.Get(ctx, m.Name)
	b.note("get", err)
	if errors.Is(err, lease.ErrNotFound) && b.holds != "" {
		return true, b.put(ctx, "create", b.deps.Members.Create, m, want)
	}
	if err == nil {
		b.known = known
	}
	return false, err
}

func (b *beat) put(
	ctx context.Context, verb string, send func(context.Context, lease.Member) (lease.Member, error), m lease.Member, want own,
) error {
	if err := b.budget.take(ctx); err != nil {
		return err
	}
	answer, err := send(ctx, m)
	b.note(verb, err)
	if err != nil {
		return err
	}
	b.known, b.holds = answer, want.identity
	if b.joined = want.joined; b.joined == "" {
		b.joined = answer.Version
	}
	b.roster.confirm(answer)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = answer.Version
	return nil
}

// joinedOf returns when that identity joined, where an earlier process of it has written that down.
func joinedOf(m lease.Member, identity string) lease.Version {
	joined, err := lease.ParseVersion(m.Annotations[naming.AnnotationJoined])
	if err != nil || m.Holder != identity || joined.Compare(m.Version) > 0 {
		return ""
	}
	return joined
}

// superseded reports whether another process of this pod has taken the Lease from this one, and lives.
func (b *beat) superseded(want own) bool {
	holder := b.known.Holder
	if b.holds == "" || holder == "" || holder == want.identity || holder == b.holds || naming.Identity(holder).Name() != b.cfg.Pod {
		return false
	}
	return b.roster.lives(b.known.Name, holder)
}

// sayGoodbye clears the holder, where it is still this member: it has left.
func (b *beat) sayGoodbye(ctx context.Context) {
	if b.holds == "" {
		return // it has never joined
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	want := b.want()
	want.health, want.left, want.joined = Leaving, true, b.joined
	err := b.clear(ctx, want)
	if err != nil {
		b.deps.Log.Warn("this member could not say that it has left: it counts as live until its Lease expires",
			"reason", "MemberNotLeft", "member_lease", b.cfg.leaseName(), "error", err)
	}
}

func (b *beat) clear(ctx context.Context, want own) (err error) {
	for range attempts {
		if b.known.Version == "" {
			b.known, err = b.deps.Members.Get(ctx, b.cfg.leaseName())
			b.note("get", err)
		}
		if errors.Is(err, lease.ErrNotFound) || err == nil && b.known.Holder != b.holds {
			return nil // it is gone, or another process keeps it
		}
		if err == nil {
			_, err = b.deps.Members.Update(ctx, want.onto(b.known, b.deps.Clock.Wall()))
			b.note("leave", err)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		b.known = lease.Member{}
	}
	return err
}
