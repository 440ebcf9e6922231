//go:build !linux

package httpapi

import "os"

func setSocketMode(path string) error { return os.Chmod(path, socketMode) }
