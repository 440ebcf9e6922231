//go:build !linux

package control

import "os"

func setSocketMode(path string) error { return os.Chmod(path, socketMode) }
