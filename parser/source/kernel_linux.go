package source

import (
	"errors"
	"io"
	"io/fs"
	"os"

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

// kernelMessages opens what the kernel says, from the oldest record that it keeps on. Records that it could not keep until they were read are left out.
func kernelMessages() (io.Reader, error) {
	f, err := os.Open("/dev/kmsg")
	if err != nil {
		return nil, klogError(err)
	}
	return patientReader{f}, nil
}

// patientReader reads on where records were lost.
type patientReader struct{ io.Reader }

func (r patientReader) Read(p []byte) (int, error) {
	for {
		n, err := r.Reader.Read(p)
		if !errors.Is(err, unix.EPIPE) {
			return n, err
		}
	}
}

func klogError(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fs.ErrPermission
	}
	return err
}
