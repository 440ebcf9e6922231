package status

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestCell bounds a cell, in characters. No name of Kubernetes is longer.
const longestCell = 253

// printable returns text in which every character can be seen: what a terminal would obey or hide, such as an escape sequence,
// a line break, or a mark that changes the direction, stands as \x1b, \n or \u202e. It is at most longestCell characters long.
func printable(text string) string {
	if len(text) <= longestCell && !strings.ContainsFunc(text, hidden) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	count := 0
	for _, r := range text {
		shown := string(r)
		if hidden(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			shown = quoted[1 : len(quoted)-1]
		}
		if count += utf8.RuneCountInString(shown); count > longestCell-3 {
			b.WriteString("...")
			break
		}
		b.WriteString(shown)
	}
	return b.String()
}

// hidden reports whether a person cannot see a character, or where it ends: a combining mark belongs to the one before it.
func hidden(r rune) bool { return !unicode.IsPrint(r) || unicode.Is(unicode.M, r) }

// quote returns a text that somebody wrote, for a sentence.
func quote(text string) string { return `"` + printable(text) + `"` }

// orNone returns a cell's text, or kubectl's for none.
func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// escaped returns JSON in which a terminal obeys nothing: JSON itself escapes only the characters below U+0020.
func escaped(json []byte) []byte {
	var b strings.Builder
	for _, r := range string(json) {
		if r == '\n' || r < 0x7f || !hidden(r) {
			b.WriteRune(r)
			continue
		}
		if r > 0xffff {
			r -= 0x10000
			writeEscape(&b, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		writeEscape(&b, r)
	}
	return []byte(b.String())
}

// spelling stands before the eight digits of a hidden character in what is given to the writer of YAML, which refuses some of them
// and writes others as they are. Its first character makes the writer quote and escape, its second is hidden, so no text has it.
const spelling = "\x01\u2063"

// spelled returns what JSON has decoded with each hidden character spelled.
func spelled(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, one := range value {
			value[key] = spelled(one)
		}
	case []any:
		for i, one := range value {
			value[i] = spelled(one)
		}
	case string:
		var b strings.Builder
		for _, r := range value {
			if hidden(r) {
				fmt.Fprintf(&b, spelling+"%08x", r)
			} else {
				b.WriteRune(r)
			}
		}
		return b.String()
	}
	return value
}

// escapedYAML returns YAML in which each spelled character is an escape.
func escapedYAML(text []byte) []byte {
	return []byte(strings.ReplaceAll(string(text), `\x01`+spelling[1:], `\U`))
}

func writeEscape(b *strings.Builder, r rune) {
	b.WriteString(`\u`)
	hex := strconv.FormatInt(int64(r), 16)
	b.WriteString(strings.Repeat("0", 4-len(hex)) + hex)
}
