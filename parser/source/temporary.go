package source

import "os"

// temporary is a file for the time that the process runs. It has no name, where the system can do that: it vanishes
// with the process, however that ends.
type temporary struct {
	*os.File
	named bool
}

// newTemporary makes one in dir; "" is the system's.
func newTemporary(dir string) (*temporary, error) {
	f, err := os.CreateTemp(dir, "gatepost-copy-*")
	if err != nil {
		return nil, err
	}
	return &temporary{f, os.Remove(f.Name()) != nil}, nil
}

func (t *temporary) Close() error {
	err := t.File.Close()
	if t.named {
		os.Remove(t.Name())
	}
	return err
}
