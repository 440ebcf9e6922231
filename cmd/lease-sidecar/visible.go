package main

import (
	"strconv"
	"strings"
	"unicode"
)

// visible returns text with what a person cannot see written out, such as \u00a0 for a no-break space and \r for a carriage
// return: pasted names and paths carry them. Line breaks of our own lists stay.
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

// invisible reports whether nobody sees a character, or takes it for another one.
func invisible(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
