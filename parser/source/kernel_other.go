//go:build !linux

package source

import "errors"

// kernelRing is Linux's alone.
func kernelRing() ([]byte, error) { return nil, errors.ErrUnsupported }
