package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	// execLimit is how long a command may run.
	execLimit = 30 * time.Second
	// execGrace is how long its output is waited for when it has ended, if it left something behind that holds it open.
	execGrace = time.Second
	// execLines and execWidth are how much of the output of one run is logged.
	execLines = 100
	execWidth = 500
)

// command runs a program for each announcement: the JSON on its standard input, the gist in GATEPOST_ variables.
type command struct {
	argv      []string
	env       []string // of the program, without what is only ours
	log       *slog.Logger
	pace      pace
	complaint complaint
}

// newCommand takes a line that is split as a shell would, though no shell runs it: texts of strangers go into it as they are, and
// what a variable holds is never code.
func newCommand(line string, environ []string, log *slog.Logger, p pace) (*command, error) {
	argv, err := splitArgv(line)
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		if e, ok := errors.AsType[*exec.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("%s: %w", argv[0], reason(err))
	}
	log = log.With("exec", argv[0])
	return &command{
		argv: append([]string{path}, argv[1:]...), env: lent(environ), log: log, pace: p, complaint: complaint{log: log, now: p.now},
	}, nil
}

// lent is the environment for a program: without the secret of webhooks and the password of mail, and without systemd's socket, where only this process may speak.
func lent(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{webhookSecret, mailPassword, notifySocket, watchdogTime, watchdogPID}, name)
	})
}

// splitArgv splits a line at blanks. What stands in single quotes is taken as it is; in double quotes and outside a backslash takes
// the next character as it is. Nothing else means anything: no $, no *, no |.
func splitArgv(line string) ([]string, error) {
	var argv []string
	var word []rune
	var quote rune
	begun, taken := false, false // a word; the next character, by a backslash
	for _, r := range line {
		switch {
		case r == 0:
			return nil, errors.New("has a NUL in it")
		case taken:
			word, taken = append(word, r), false
		case r == '\\' && quote != '\'':
			begun, taken = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			begun, quote = true, r
		case quote == 0 && strings.ContainsRune(" \t\n", r):
			if begun {
				argv = append(argv, string(word))
			}
			word, begun = word[:0], false
		default:
			word, begun = append(word, r), true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("a %c has no end", quote)
	case taken:
		return nil, errors.New("ends in a backslash")
	}
	if begun {
		argv = append(argv, string(word))
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("names no program")
	}
	return argv, nil
}

func (c *command) kind() string { return "exec" }

func (c *command) end() {}

// deliver runs the program once: whether it may run again for the same news only it knows.
func (c *command) deliver(ctx context.Context, a *announcement) error {
	err := c.run(ctx, a)
	if err != nil {
		c.complaint.failed(err)
		return err
	}
	c.complaint.works()
	return nil
}

// errTooLong is why a program was killed.
var errTooLong = fmt.Errorf("was killed, since it ran longer than %s", execLimit)

func (c *command) run(ctx context.Context, a *announcement) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env = append(slices.Clone(c.env), a.vars...)
	cmd.Stdin = bytes.NewReader(a.body)
	out := &outputLog{log: c.log}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = execGrace
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return reason(err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.pace.sleep(ctx, execLimit)
		cancel(errTooLong)
	}()
	err := cmd.Wait()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	out.done()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and what it left behind is its own business
	}
	return err
}

// outputLog logs what a program prints, a line for a line, as much of it as a log can bear.
type outputLog struct {
	log   *slog.Logger
	line  []byte
	lines int
}

func (o *outputLog) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			o.say()
		} else if len(o.line) < execWidth {
			o.line = append(o.line, b)
		}
	}
	return len(p), nil
}

func (o *outputLog) say() {
	if o.lines++; o.lines <= execLines {
		o.log.Info("output", "line", string(bytes.TrimRight(o.line, "\r")))
	}
	o.line = o.line[:0]
}

func (o *outputLog) done() {
	if len(o.line) > 0 {
		o.say()
	}
	if more := o.lines - execLines; more > 0 {
		o.log.Info("more output", "lines", more)
	}
}
