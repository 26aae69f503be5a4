package source

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// kernelRing returns what is in the ring buffer.
func kernelRing() ([]byte, error) {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil {
		return nil, klogError(err)
	}
	ring := make([]byte, size)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, ring)
	if err != nil {
		return nil, klogError(err)
	}
	return ring[:n], nil
}

func klogError(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fs.ErrPermission
	}
	return err
}
