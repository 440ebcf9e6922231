// Package docs holds the tests of what is written for people: every exported name says what it is, every link in
// the documents leads somewhere, and the generated reference is the command's own.
//
// It cannot tell whether the text is true: that takes a reader.
package docs
