//go:build !unix

package leadership

import "os"

func open(path string) (*os.File, error) { return os.Open(path) }
