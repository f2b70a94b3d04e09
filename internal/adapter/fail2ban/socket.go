package fail2ban

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// endMark ends what both sides say.
const endMark = "<F2B_END_COMMAND>"

const (
	maxAnswer = 32 << 20 // octets: some 400,000 bans
	patience  = 30 * time.Second
)

// Down is a server that does not run, or whose socket cannot be reached.
type Down struct{ Err error }

func (d *Down) Error() string { return "fail2ban-server does not answer: " + d.Err.Error() }

// Unwrap returns what the kernel says.
func (d *Down) Unwrap() error { return d.Err }

// Refusal is a command that the server did not carry out.
type Refusal struct{ Command, Said string }

func (r *Refusal) Error() string {
	return fmt.Sprintf("fail2ban-server refused %q: %s", r.Command, r.Said)
}

// call sends one command and returns its result.
func (s *Server) call(ctx context.Context, words ...string) (any, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", s.config.Socket)
	if err != nil {
		return nil, &Down{err}
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := c.Write(append(encode(words), endMark...)); err != nil {
		return nil, &Down{err}
	}
	data, err := answer(c)
	if err != nil {
		return nil, err
	}
	v, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("the answer to %q: %w", strings.Join(words, " "), err)
	}
	return result(words, v)
}

// answer reads up to the end mark.
func answer(c io.Reader) ([]byte, error) {
	var data []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		from := max(len(data)-len(endMark), 0)
		data = append(data, buf[:n]...)
		if i := bytes.Index(data[from:], []byte(endMark)); i >= 0 {
			return data[:from+i], nil
		}
		if len(data) > maxAnswer {
			return nil, fmt.Errorf("%w: longer than %d octets", errPickle, maxAnswer)
		}
		if err != nil {
			return nil, &Down{fmt.Errorf("the answer broke off: %w", err)}
		}
	}
}

// result takes an answer apart: 0 and what was asked for, or 1 and an exception.
func result(words []string, v any) (any, error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		if text, is := v.(string); is { // the server could not read what we sent
			return nil, &Refusal{strings.Join(words, " "), clip(text)}
		}
		return nil, errPickle
	}
	switch code, _ := pair[0].(int64); {
	case pair[0] == int64(0):
		return pair[1], nil
	case code != 1:
		return nil, errPickle
	}
	return nil, &Refusal{strings.Join(words, " "), clip(said(pair[1]))}
}

// said is what an exception says.
func said(v any) string {
	o, ok := v.(object)
	if !ok {
		return fmt.Sprint(v)
	}
	_, name, _ := strings.Cut(o.class, ".")
	args, _ := o.args.([]any)
	if strings.HasSuffix(o.class, "UnknownJailException") && len(args) > 0 {
		return fmt.Sprintf("there is no jail %v", args[0])
	}
	return strings.TrimSpace(name + " " + strings.TrimSpace(fmt.Sprintln(args...)))
}

func clip(s string) string {
	if len(s) > 400 {
		s = s[:400]
	}
	return strings.ToValidUTF8(s, "?")
}

// pairs reads a list of names and values.
func pairs(v any) (map[string]any, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, errPickle
	}
	out := map[string]any{}
	for _, x := range items {
		p, ok := x.([]any)
		if !ok || len(p) != 2 {
			return nil, errPickle
		}
		name, ok := p[0].(string)
		if !ok {
			return nil, errPickle
		}
		out[name] = p[1]
	}
	return out, nil
}

// texts reads a list of texts.
func texts(v any) ([]string, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, errPickle
	}
	out := make([]string, len(items))
	for i, x := range items {
		if out[i], ok = x.(string); !ok {
			return nil, errPickle
		}
	}
	return out, nil
}

// number asks for a setting that is one.
func (s *Server) number(ctx context.Context, words ...string) (int64, error) {
	v, err := s.call(ctx, words...)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if f, is := v.(float64); is {
		n, ok = int64(f), true
	}
	if !ok {
		return 0, errPickle
	}
	return n, nil
}

// isRefusal reports that the server runs, and does not do it.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}
