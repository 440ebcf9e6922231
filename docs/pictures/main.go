// Command pictures draws the pictures of the documents: each as an SVG for a light page and one for a dark page, which a
// <picture> with prefers-color-scheme chooses from.
//
//	go run ./docs/pictures             draws them into docs/pictures (make pictures)
//	go run ./docs/pictures -into DIR   draws them into DIR; test/repo compares them with the committed ones
//
// The timeline of a term uses the elector's default timings. The demo is drawn from demo.txt, what a real run left on an
// 80×24 terminal; capture.sh makes a new one.
package main

import (
	_ "embed" // for the capture
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

//go:embed demo.txt
var capture string

func pictures() ([]svg.Picture, error) {
	demo, err := demoPicture(capture)
	if err != nil {
		return nil, err
	}
	return []svg.Picture{podPicture(), termPicture(elector.Default()), handoverPicture(), demo}, nil
}

func main() {
	into := flag.String("into", filepath.Join("docs", "pictures"), "the `DIRECTORY` to draw into")
	flag.Parse()
	if err := write(*into); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// write draws every picture in every theme.
func write(dir string) error {
	all, err := pictures()
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := p.Write(dir); err != nil {
			return err
		}
	}
	return nil
}
