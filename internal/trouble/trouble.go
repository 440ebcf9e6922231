// Package trouble keeps a log short where something is tried again and again: a failure is logged when it changes. It promises
// to distinguish failures by their text, so an error made anew at each attempt is the same one. It does not log, and takes no
// lock.
package trouble

// Last is how the last attempt ended. The zero value stands for success.
type Last struct{ text string }

// Changed notes how another attempt ended (nil: well), and reports whether that differs from the attempt before.
func (l *Last) Changed(err error) bool {
	before := l.text
	l.text = ""
	if err != nil {
		l.text = err.Error()
	}
	return l.text != before
}
