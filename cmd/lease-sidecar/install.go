package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

func installCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "copy this program to a file or into a directory",
		ArgsUsage: "PATH",
		Description: "For an init container that brings the program into another container's volume, as the image has no cp. The file is\n" +
			"replaced in one step: whoever runs the old one goes on, and nobody runs half of the new.",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return faultf("install: give the file or the directory to copy to, as in: lease-sidecar install /shared")
			}
			return install(c.Args().First())
		},
	}
}

// install copies the running program to path; into it, under its own name, where path is a directory.
func install(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "lease-sidecar")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("install: find this program: %w", err)
	}
	source, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("install: open this program: %w", err)
	}
	defer source.Close()
	if err := replaceFile(path, source, 0o755); err != nil {
		return fmt.Errorf("install to %s: %w", path, installMend(err))
	}
	return nil
}

func installMend(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: make the directory first, or mount the volume there", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: mount the volume writable for this user", err)
	}
	return err
}

// replaceFile writes a file beside path and renames it into place once it is whole.
func replaceFile(path string, content io.Reader, mode fs.FileMode) (err error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-"+rand.Text())
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	_, err = io.Copy(file, content)
	// The mode again, as the umask took its part.
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
