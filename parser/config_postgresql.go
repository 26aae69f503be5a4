package parser

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"gatepost"
)

var _ = RegisterConfig(Config{
	Name: "postgresql.conf",
	Doc: "Limits of connections, memory, time and logging of PostgreSQL. Included files are not followed: " +
		"each is a file of its own.",
	Sniff: sniffPostgresConf,
	Read:  readPostgresConf,
})

// postgresSettings are the settings worth knowing.
var postgresSettings = map[string]bool{
	"deadlock_timeout":                    true,
	"idle_in_transaction_session_timeout": true,
	"lock_timeout":                        true,
	"log_destination":                     true,
	"log_directory":                       true,
	"log_filename":                        true,
	"log_line_prefix":                     true,
	"log_lock_waits":                      true,
	"log_min_duration_statement":          true,
	"log_timezone":                        true,
	"max_connections":                     true,
	"shared_buffers":                      true,
	"statement_timeout":                   true,
	"superuser_reserved_connections":      true,
	"work_mem":                            true,
}

// sniffPostgresConf goes by the name, or else by two settings that nothing else has.
func sniffPostgresConf(name string, sample []byte) bool {
	switch base := path.Base(strings.ReplaceAll(name, `\`, "/")); {
	case base == "postgresql.conf", base == "postgresql.auto.conf":
		return true
	case !strings.HasSuffix(base, ".conf"):
		return false
	}
	return contains(sample, "max_connections") && contains(sample, "shared_buffers")
}

func readPostgresConf(file string, data []byte) ([]gatepost.Setting, error) {
	var all []gatepost.Setting
	n := 0
	for line := range bytes.Lines(data) {
		n++
		name, value, err := postgresSetting(line)
		if err != nil {
			return all, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		if postgresSettings[name] {
			all = append(all, gatepost.Setting{Program: "postgresql", Name: name, Value: value, File: file, Line: n})
		}
	}
	return all, nil
}

// postgresSetting reads "name = value  # comment"; the equals sign may be missing, names are in
// any case. The name is "" for a line that sets nothing.
func postgresSetting(line []byte) (name, value string, err error) {
	line = bytes.TrimSpace(line)
	n := 0
	for n < len(line) && (letter(line[n]) || line[n] == '_' || line[n] == '.' || line[n]-'0' <= 9) {
		n++
	}
	if n == 0 {
		return "", "", nil
	}
	name = strings.ToLower(string(line[:n]))
	rest := bytes.TrimSpace(line[n:])
	rest = bytes.TrimSpace(bytes.TrimPrefix(rest, []byte{'='}))
	if len(rest) > 0 && rest[0] == '\'' {
		value, err = postgresQuoted(rest[1:])
		return name, value, err
	}
	rest, _, _ = cut(rest, "#")
	return name, string(bytes.TrimSpace(rest)), nil
}

var errPostgresQuote = errors.New("value without its closing quote")

// postgresQuoted reads a value up to its closing quote; a quote in it is doubled or has a
// backslash before it.
func postgresQuoted(s []byte) (string, error) {
	var value strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\'' {
			if i+1 >= len(s) || s[i+1] != '\'' {
				return value.String(), nil
			}
			i++
		} else if c == '\\' && i+1 < len(s) {
			i++
			c = s[i]
		}
		value.WriteByte(c)
	}
	return "", errPostgresQuote
}
