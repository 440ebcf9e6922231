package histories_test

import (
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// at makes an operation of a span.
func at(from, to bootclock.Instant, o histories.Operation) histories.Operation {
	o.From, o.To = from, to
	return o
}

// by makes it another client's.
func by(client int, o histories.Operation) histories.Operation {
	o.Client = client
	return o
}

func acquire(token lease.Version) histories.Operation {
	return histories.Operation{Act: histories.Acquire, Token: token}
}

func release(token lease.Version) histories.Operation {
	return histories.Operation{Act: histories.Release, Token: token}
}

func expire(token lease.Version) histories.Operation {
	return histories.Operation{Act: histories.Expire, Token: token}
}

func accepted(token lease.Version, value int) histories.Operation {
	return histories.Operation{Act: histories.Write, Token: token, Value: value}
}

func refused(token lease.Version, value int) histories.Operation {
	return histories.Operation{Act: histories.Write, Token: token, Value: value, Refused: true}
}

func read(value int) histories.Operation {
	return histories.Operation{Act: histories.Read, Value: value}
}

func TestLock(t *testing.T) {
	for _, tc := range []struct {
		name    string
		history []histories.Operation
		want    porcupine.CheckResult
	}{
		{"nothing", nil, porcupine.Ok},
		{"one after the other", []histories.Operation{
			at(1, 2, acquire("9")), at(5, 6, release("9")), at(7, 8, acquire("10")), at(9, 9, expire("10")),
		}, porcupine.Ok},
		{"a term that is still open", []histories.Operation{at(1, 2, acquire("9"))}, porcupine.Ok},
		{"an end and a beginning that may have been in order", []histories.Operation{
			at(1, 2, acquire("9")), at(5, 8, expire("9")), at(5, 8, acquire("10")),
		}, porcupine.Ok},
		{"an end that may have been long ago", []histories.Operation{
			at(1, 2, acquire("9")), at(5, 80, expire("9")), at(20, 21, acquire("10")), at(30, 31, release("10")),
		}, porcupine.Ok},
		{"two holders at once", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, release("9")), at(7, 8, release("10")),
		}, porcupine.Illegal},
		{"two holders at once, one of them for good", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, release("10")),
		}, porcupine.Illegal},
		{"a token that falls, where letters would rise", []histories.Operation{
			at(1, 2, acquire("10")), at(3, 4, release("10")), at(5, 6, acquire("9")),
		}, porcupine.Illegal},
		{"a token twice", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, release("9")), at(5, 6, acquire("9")),
		}, porcupine.Illegal},
		{"a document that ran out and was renewed late", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, expire("9")), at(5, 6, acquire("9")), at(7, 8, release("9")),
		}, porcupine.Ok},
		{"a document that ran out, and the same token elsewhere", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, expire("9")), at(5, 6, by(1, acquire("9"))),
		}, porcupine.Illegal},
		{"a document that is renewed after the next term", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, expire("9")), at(5, 6, by(1, acquire("10"))), at(7, 8, by(1, expire("10"))), at(9, 10, acquire("9")),
		}, porcupine.Illegal},
		{"a release of what another holds", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, release("8")),
		}, porcupine.Illegal},
		{"an end twice", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, release("9")), at(5, 6, expire("9")),
		}, porcupine.Illegal},
		{"an end of nothing", []histories.Operation{at(1, 2, expire("9"))}, porcupine.Illegal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := histories.Lock.Check(tc.history, histories.Patience); got != tc.want {
				t.Errorf("judged %s, want %s", got, tc.want)
			}
		})
	}
}

func TestFencing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		history []histories.Operation
		want    porcupine.CheckResult
	}{
		{"an empty register", []histories.Operation{at(1, 2, read(0))}, porcupine.Ok},
		{"what was written is read", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, accepted("9", 1)), at(5, 6, accepted("9", 2)), at(7, 8, read(2)),
		}, porcupine.Ok},
		{"a read beside a write sees either", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 9, accepted("9", 1)), at(4, 5, read(0)), at(6, 7, read(1)),
		}, porcupine.Ok},
		{"a stale write is refused", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, accepted("10", 1)), at(7, 8, refused("9", 2)), at(9, 10, read(1)),
		}, porcupine.Ok},
		{"a late write before the successor's first", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, accepted("9", 1)), at(7, 8, accepted("10", 2)),
		}, porcupine.Ok},
		{"a stale write is accepted", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, accepted("10", 1)), at(7, 8, accepted("9", 2)),
		}, porcupine.Illegal},
		{"a stray that was sent in time, and seen after the successor's write", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 20, accepted("9", 1)), at(5, 6, acquire("10")), at(7, 8, accepted("10", 2)),
			at(9, 10, read(2)), at(15, 16, read(1)),
		}, porcupine.Illegal},
		{"a good write is refused", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, accepted("9", 1)), at(5, 6, refused("9", 2)),
		}, porcupine.Illegal},
		{"a write under a token that nobody has", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, accepted("11", 1)),
		}, porcupine.Illegal},
		{"a write before its token was given out", []histories.Operation{
			at(1, 2, accepted("9", 1)), at(3, 4, acquire("9")),
		}, porcupine.Illegal},
		{"a token that falls", []histories.Operation{
			at(1, 2, acquire("10")), at(3, 4, acquire("9")),
		}, porcupine.Illegal},
		{"a lost write", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, accepted("9", 1)), at(5, 6, accepted("9", 2)), at(7, 8, read(1)),
		}, porcupine.Illegal},
		{"a refused write is read", []histories.Operation{
			at(1, 2, acquire("9")), at(3, 4, acquire("10")), at(5, 6, accepted("10", 1)), at(7, 8, refused("9", 2)), at(9, 10, read(2)),
		}, porcupine.Illegal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := histories.Fencing.Check(tc.history, histories.Patience); got != tc.want {
				t.Errorf("judged %s, want %s", got, tc.want)
			}
		})
	}
}
