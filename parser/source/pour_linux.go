package source

import (
	"os"

	"golang.org/x/sys/unix"
)

// punch gives the disk back what a part of a file takes. A file system that cannot goes on holding it.
func punch(f *os.File, from, size int64) {
	unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, size)
}
