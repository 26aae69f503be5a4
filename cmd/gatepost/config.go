package main

import (
	"fmt"
	"io"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// configLimit bounds a configuration file; real ones have a few kilobytes.
const configLimit = 4 << 20

// readConfig reads f if it is a configuration file; ok is false when it is none.
func readConfig(f *source.File) (settings []gatepost.Setting, ok bool, err error) {
	s, err := f.Open()
	if err != nil {
		return nil, false, err
	}
	defer s.Close()
	c := parser.DetectConfig(f.Name(), s.Peek(parser.SampleSize))
	if c == nil {
		return nil, false, nil
	}
	data, err := io.ReadAll(io.LimitReader(s, configLimit+1))
	if err != nil {
		return nil, true, err
	}
	if len(data) > configLimit {
		return nil, true, fmt.Errorf("is too large for a %s", c.Name)
	}
	settings, err = c.Read(f.Path, data)
	return settings, true, err
}

// isConfig reports whether f is a configuration file.
func isConfig(f *source.File) bool {
	_, ok, _ := readConfig(f)
	return ok
}

// logFormats returns the log_formats among settings.
func logFormats(settings []gatepost.Setting) []parser.NginxFormat {
	var formats []parser.NginxFormat
	for _, s := range settings {
		if f, ok := parser.NginxFormatOf(s); ok {
			formats = append(formats, f)
		}
	}
	return formats
}
