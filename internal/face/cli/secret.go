package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// secrets hands out the secrets of one call: the next line of standard input,
// or what is typed without echo.
type secrets struct {
	in    io.Reader
	lines *bufio.Reader
	err   io.Writer
	twice bool // a new secret, not an old one, is typed twice: nobody sees a slip
}

func (s *session) secrets(twice bool) *secrets { return &secrets{in: s.in, err: s.err, twice: twice} }

// maxSecret bounds one line.
const maxSecret = 64 << 10

// next returns the next secret as JSON.
func (s *secrets) next(name string) (json.RawMessage, error) {
	text, err := s.read(name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(text)
}

func (s *secrets) read(name string) (string, error) {
	if fd, ok := terminal(s.in); ok {
		return s.typed(fd, name)
	}
	if s.lines == nil {
		s.lines = bufio.NewReader(io.LimitReader(s.in, maxSecret))
	}
	line, err := s.lines.ReadString('\n')
	if err != nil && !(errors.Is(err, io.EOF) && line != "") {
		return "", Usage("%s is read from standard input, one line, and there is none", name)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

func (s *secrets) typed(fd int, name string) (string, error) {
	first, err := s.ask(fd, name+": ")
	if err != nil || !s.twice || strings.HasPrefix(name, "old") {
		return first, err
	}
	again, err := s.ask(fd, name+", once more: ")
	if err == nil && again != first {
		err = Usage("the two differ; nothing was sent")
	}
	return first, err
}

func (s *secrets) ask(fd int, prompt string) (string, error) {
	fmt.Fprint(s.err, prompt)
	text, err := term.ReadPassword(fd)
	fmt.Fprintln(s.err)
	return string(text), err
}

// terminal reports whether in is one, and its descriptor.
func terminal(in io.Reader) (int, bool) {
	f, ok := in.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(f.Fd())
	return fd, term.IsTerminal(fd)
}
