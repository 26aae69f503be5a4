package gatepost

import (
	"path"
	"regexp"
	"strings"
)

// packedName, numberedName and datedName are what rotation adds to the name of a log: that it is packed, a number, a date or a
// day of the week. A number elsewhere (odoo-2.log) may be that of a server.
var (
	packedName   = regexp.MustCompile(`(?i)(?:\.(?:gz|bz2|xz|zst|lz4|z))+$`)
	numberedName = regexp.MustCompile(`(?i)\.(?:\d{1,4}|old|bak)(\.[a-z]+)?$`)
	datedName    = regexp.MustCompile(`(?i)[-._]?(?:\d{4}[-._]?\d\d[-._]?\d\d(?:[-._T]?\d{2,6})*|\b(?:mon|tue|wed|thu|fri|sat|sun)\b)`)
)

// Series names the log that a source is a part of: its path but for what rotation adds to it, its strand and its host. Older
// files of a log are of one series with it.
func (src *Source) Series() string {
	return unrotated(src.Path) + "\x00" + src.Strand + "\x00" + src.Host
}

// Rotated reports whether the name of the file is that of a log which nothing is written into any more.
func (src *Source) Rotated() bool { return unrotated(src.Path) != slashed(src.Path) }

func slashed(file string) string {
	return strings.ReplaceAll(strings.ReplaceAll(file, "\\", "/"), "!", "/")
}

func unrotated(file string) string {
	dir, name := path.Split(slashed(file))
	name = packedName.ReplaceAllString(name, "")
	name = numberedName.ReplaceAllString(name, "$1")
	return dir + datedName.ReplaceAllString(name, "")
}
