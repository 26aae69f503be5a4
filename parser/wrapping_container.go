package parser

import (
	"bytes"
	"time"
)

// The name of a container before every line.

var _ = registerWrapping(Wrapping{
	Name: "compose",
	Doc:  "docker compose logs: the name of the container and a bar before every line, coloured or not",
	Read: func(raw []byte, e *entry, o *Options) bool {
		name, text, ok := cut(raw, "| ")
		if !ok {
			if name, ok = bytes.CutSuffix(raw, []byte{'|'}); !ok {
				return false
			}
		}
		name = bytes.TrimRight(uncoloured(name), " ")
		if !containerName(name) {
			return false
		}
		e.name, e.text = name, text
		if rest := uncoloured(text); len(rest) < len(text) && hasPrefix(raw, "\x1b") {
			e.text = rest // the colour of the name ends behind the bar
		}
		return true
	},
	Example: func(program, line string, at time.Time) string {
		return program + "-1  | " + line + "\n"
	},
})

var _ = registerWrapping(Wrapping{
	Name: "kubectl",
	Doc:  "kubectl logs --prefix: [pod/NAME/CONTAINER] before every line",
	Read: func(raw []byte, e *entry, o *Options) bool {
		if !hasPrefix(raw, "[pod/") {
			return false
		}
		name, text, ok := cut(raw[len("[pod/"):], "] ")
		if !ok {
			if name, ok = bytes.CutSuffix(name, []byte{']'}); !ok {
				return false
			}
			text = nil
		}
		e.name, e.text = name, text
		return containerName(bytes.Replace(name, []byte{'/'}, []byte{'-'}, 1))
	},
	Example: func(program, line string, at time.Time) string {
		return "[pod/erp-0/" + program + "] " + line + "\n"
	},
})

var _ = registerWrapping(Wrapping{
	Name:  "stern",
	Doc:   "stern and kubetail: the names of the pod and the container before every line, coloured or not",
	Vague: true,
	Read: func(raw []byte, e *entry, o *Options) bool {
		bare := uncoloured(raw)
		pod, rest, ok := cut(bare, " ")
		if !ok {
			return false
		}
		container, text, ok := cut(uncoloured(rest), " ")
		pod, container = uncoloured(pod), uncoloured(container)
		if !ok || !containerName(pod) || !containerName(container) {
			return false
		}
		e.name = bare[:len(bare)-len(text)-1]
		e.text = uncoloured(text)
		return true
	},
	Example: func(program, line string, at time.Time) string {
		return "erp-0 " + program + " " + line + "\n"
	},
})

// containerName reports whether s can be the name of a container or a pod.
func containerName(s []byte) bool {
	for _, c := range s {
		if !letter(c) && c-'0' > 9 && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(s) > 1 && len(s) < 254 && (letter(s[0]) || s[0]-'0' <= 9) && s[len(s)-1] != '.'
}

// uncoloured drops the escape sequences of colours that s begins and ends with.
func uncoloured(s []byte) []byte {
	for hasPrefix(s, "\x1b[") {
		end := bytes.IndexByte(s, 'm')
		if end < 0 {
			break
		}
		s = s[end+1:]
	}
	if i := bytes.LastIndex(s, []byte("\x1b[")); i >= 0 && len(s) > 0 && s[len(s)-1] == 'm' && bytes.IndexByte(s[i:], 'm') == len(s)-i-1 {
		s = s[:i]
	}
	return s
}
