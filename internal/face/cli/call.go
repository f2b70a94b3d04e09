package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// call runs one operation and prints its answer.
func (s *session) call(ctx context.Context, op *act.Op, in *input, o options, args []string) (err error) {
	if !slices.Contains([]string{"table", "json", "yaml"}, s.output) {
		return Usage("--output %q: must be table, json or yaml", s.output)
	}
	members, err := in.read(args, s.in, s.secrets(acts(op)))
	if err != nil {
		return err
	}
	c, err := s.connect(ctx, slices.Contains(s.Recovery, op.Name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.upload(ctx, members); err != nil {
		return s.refused(err)
	}
	if err := s.confirm(ctx, c, op, members, &o); err != nil {
		return s.refused(err)
	}
	return s.refused(s.send(ctx, c, op, members, o))
}

// refused prints the body of a refusal where a program reads the answer.
func (s *session) refused(err error) error {
	if p, ok := errors.AsType[*problem](err); ok && s.output == "json" && len(p.body) > 0 {
		_, _ = s.out.Write(p.body)
	}
	return err
}

// upload replaces large files by handles.
func (c *client) upload(ctx context.Context, members []member) error {
	for i := range members {
		m := &members[i]
		var body io.Reader = bytes.NewReader(m.bytes)
		if m.large != nil {
			defer m.large.Close()
			body = m.large
		}
		if m.value != nil {
			continue
		}
		answer, err := c.bytes(ctx, request{method: http.MethodPost, path: "/uploads", contentType: "application/octet-stream", body: body})
		if err != nil {
			return err
		}
		var a struct{ Output struct{ Handle string } }
		if err := json.Unmarshal(answer, &a); err != nil {
			return fmt.Errorf("reading the answer to an upload: %w", err)
		}
		m.value, _ = json.Marshal(a.Output.Handle)
	}
	return nil
}

// confirm shows what a dangerous change would do and asks, on a terminal.
// Elsewhere the server refuses it, and the refusal is on record.
func (s *session) confirm(ctx context.Context, c *client, op *act.Op, members []member, o *options) error {
	if _, ok := terminal(s.in); !op.Confirm || o.yes || o.dryRun || !ok {
		return nil
	}
	look := *o
	look.dryRun = true
	body, err := c.bytes(ctx, call(op, members, look))
	if err != nil {
		return err
	}
	if err := s.diff(s.err, body); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%s: type yes to do it: ", strings.ReplaceAll(op.Name, ".", " "))
	line, _ := bufio.NewReader(s.in).ReadString('\n')
	if strings.TrimSpace(line) != "yes" {
		return core.Errorf(core.Unconfirmed, "not confirmed; nothing was changed")
	}
	o.yes = true
	return nil
}

// call makes the request of the operation's canonical route.
func call(op *act.Op, members []member, o options) request {
	r := request{method: http.MethodPost, path: "/" + strings.ReplaceAll(op.Name, ".", "/"), header: http.Header{}}
	set := func(name, value string) {
		if value != "" {
			r.header.Set(name, value)
		}
	}
	set("Hostward-Reason", o.reason)
	set("Idempotency-Key", o.key)
	if o.match != 0 {
		set("If-Match", `"`+strconv.FormatUint(o.match, 10)+`"`)
	}
	if o.yes {
		set("Confirm", "true")
	}
	if o.dryRun {
		r.query = url.Values{"preview": {"true"}}
	}
	if !acts(op) && urlable(op) {
		r.method = http.MethodGet
		r.query, _ = query(members) // what read made is JSON
		return r
	}
	r.contentType, r.body = "application/json", bytes.NewReader(object(members))
	return r
}

// acts reports an operation that may change something: a change or a job.
func acts(op *act.Op) bool { return op.Method != "query" && op.Method != "stream" }

// urlable repeats the rule of the REST face for canonical routes.
func urlable(op *act.Op) bool {
	return !slices.ContainsFunc(op.Input, func(p act.Param) bool {
		return p.Type == "secret" || p.Type == "file" || p.Type == "objects"
	})
}

func (s *session) send(ctx context.Context, c *client, op *act.Op, members []member, o options) error {
	r := call(op, members, o)
	if op.Method == "stream" {
		return s.stream(ctx, c, r)
	}
	body, err := c.bytes(ctx, r)
	if err != nil {
		return err
	}
	if err := s.print(op, body); err != nil || s.Judge == nil {
		return err
	}
	return s.Judge(op.Name, body)
}

// maxLine bounds one item of a stream.
const maxLine = 4 << 20

// stream prints items as they come. One that breaks ends with a problem.
func (s *session) stream(ctx context.Context, c *client, r request) error {
	r.header.Set("Accept", "application/jsonl")
	res, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := broken(lines.Bytes()); err != nil {
			return err
		}
		if err := s.item(lines.Bytes()); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil // ended by who watched
	}
	return lines.Err()
}

func broken(line []byte) error {
	if !bytes.HasPrefix(line, []byte(`{"problem":`)) {
		return nil
	}
	var end struct{ Problem json.RawMessage }
	if json.Unmarshal(line, &end) != nil {
		return nil
	}
	return readProblem(0, end.Problem)
}
