// Package trouble keeps a log short where something is tried again and again: a failure is logged when it changes. It promises
// to distinguish failures by their text, so an error made anew at each attempt is the same one. What differs from attempt to attempt
// in the texts of the standard library does not count. It does not log, and takes no lock.
package trouble

import "regexp"

// passing matches what is new in each attempt: the own address of a connection ("read tcp 10.0.0.5:40112->10.96.0.1:443: …"), whose
// port is another one each time, and the time at which a certificate was found to be out of date.
var passing = regexp.MustCompile(`\S+:\d+->|current time \S+`)

// Last is how the last attempt ended. The zero value stands for success.
type Last struct{ text string }

// Changed notes how another attempt ended (nil: well), and reports whether that differs from the attempt before.
func (l *Last) Changed(err error) bool {
	before := l.text
	l.text = ""
	if err != nil {
		l.text = passing.ReplaceAllString(err.Error(), "")
	}
	return l.text != before
}
