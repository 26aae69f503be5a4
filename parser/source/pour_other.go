//go:build !linux

package source

import "os"

// punch does nothing: the file goes when the program ends.
func punch(*os.File, int64, int64) {}
