package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Exit codes that scripts and probes rely on.
const (
	exitWell      = 0
	exitNo        = 1 // a negative answer, or a failure
	exitFault     = 2 // a configuration fault; for is-leader also "cannot tell"
	exitCollision = 3 // the Lease belongs to another workload
	exitLost      = 4 // leadership was lost, with --on-loss exit
)

// errNo is a negative answer that needs no message.
var errNo = errors.New("no")

// exit is an error with its exit code.
type exit struct {
	code int
	error
}

func (e exit) Unwrap() error { return e.error }

// asFault marks an error as a configuration fault, or, for is-leader, as "cannot tell". nil stays nil.
func asFault(err error) error {
	if err == nil {
		return nil
	}
	return exit{exitFault, err}
}

func faultf(format string, args ...any) error { return asFault(fmt.Errorf(format, args...)) }

func exitCode(err error) int {
	if err == nil {
		return exitWell
	}
	if own, ok := errors.AsType[exit](err); ok {
		return own.code
	}
	return exitNo
}

// complaint returns the message about err; "" if the exit code says it all.
func complaint(err error) string {
	if err == nil || errors.Is(err, errNo) {
		return ""
	}
	return visible(err.Error())
}

// visible escapes characters that a person cannot see, such as \u00a0 (no-break space) and \r, which pasted names and paths
// may contain. Line breaks of our own lists stay.
func visible(text string) string {
	if !strings.ContainsFunc(text, invisible) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if !invisible(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// invisible reports whether a person cannot see a character, or takes it for another one.
func invisible(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
