package elector

import (
	"log/slog"
	"runtime"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// written is a writer that says that it was written to.
type written chan<- string

func (w written) Write(line []byte) (int, error) {
	w <- "log"
	return len(line), nil
}

// TestSignalsComeBeforeTheLog has a goroutine wait for a leadership, as a signal does. On one processor, that runs before the step is
// logged: to write a line takes as long as a signal. The runtime takes another order once in a while.
func TestSignalsComeBeforeTheLog(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds = 200
	inOrder := 0
	for range rounds {
		news, order := make(chan struct{}), make(chan string, 2)
		e, err := New(configured("web-0_a"), Deps{
			Store: memory.New().Store("default", "acme-1"), Log: slog.New(slog.NewTextHandler(written(order), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(e, Outputs{Publish: func(leadership.Leadership) { close(news) }, Observer: unobserved{}})
		go func() {
			<-news
			order <- "signal"
		}()
		runtime.Gosched() // it waits
		l.carryOut(output{leadership: &leadership.Leadership{}, notes: []note{{severity: slog.LevelInfo, text: "leading"}}})
		if first, second := <-order, <-order; first == "signal" && second == "log" {
			inOrder++
		}
		l.close()
	}
	if inOrder < rounds*3/4 {
		t.Errorf("the signal ran before the log in %d of %d rounds", inOrder, rounds)
	}
}
