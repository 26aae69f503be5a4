//go:build !linux

package source

import (
	"errors"
	"io"
)

// kernelRing is Linux's alone.
func kernelRing() ([]byte, error) { return nil, errors.ErrUnsupported }

func kernelMessages() (io.Reader, error) { return nil, errors.ErrUnsupported }
