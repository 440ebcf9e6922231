// Package file is the signal in a shared volume: state.json, which always says what is known, and leader, which is there
// only while this replica leads.
//
// It promises that a reader finds whole files, that the leader file is removed before the document says so, and that its
// modification time is the end of the term. It does not promise that a reader who looks late, and ignores that time, is stopped.
package file
