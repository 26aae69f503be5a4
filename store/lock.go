package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrBusy is why a store cannot be read into: another program does so.
var ErrBusy = errors.New("another gatepost reads logs into it")

// Lock keeps others from reading logs into the store until it is closed: two that read on from one position would store every line
// twice. To look at the store nobody needs it. It is a lock of the system on a file beside the store, so it ends with the program, however that
// ends.
func (s *Store) Lock(_ context.Context) error {
	if s.path == "" || s.lock != nil {
		return nil
	}
	f, err := os.OpenFile(s.file+"-lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return s.fail("lock", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return s.fail("lock", err)
		}
		who := make([]byte, 20)
		n, _ := f.Read(who)
		if pid := strings.TrimSpace(string(who[:n])); pid != "" {
			return s.fail("lock", fmt.Errorf("%w (process %s)", ErrBusy, pid))
		}
		return s.fail("lock", ErrBusy)
	}
	s.lock = f
	// Who holds it is for people; that it is held does not rest on it.
	f.Truncate(0)
	f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return nil
}
