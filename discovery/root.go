package discovery

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// within puts a root before a path that does not have it.
func within(root, path string) string {
	if root == "" || path == root || strings.HasPrefix(path, root+"/") {
		return path
	}
	return root + path
}

// linkLimit bounds the links on the way to one file, as Linux does.
const linkLimit = 40

// follow returns where the links of a path lead below a root as whoever has that for his root does: an absolute one begins there anew, and
// none leads out. Of the machine itself it leaves that to the system. What is not there stays as it is.
func follow(root, path string) (string, error) {
	if root == "" {
		return path, nil
	}
	rest := strings.Split(strings.TrimPrefix(path, root), "/")
	at := root
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if at != root {
				at = filepath.Dir(at)
			}
			continue
		}
		next := at + "/" + name
		target, err := os.Readlink(next)
		if err != nil {
			at = next // no link, or nothing
			continue
		}
		if links++; links > linkLimit {
			return "", &fs.PathError{Op: "follow", Path: path, Err: fs.ErrInvalid}
		}
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}
