package breach

import (
	"context"
	"io"
)

// source is a reader that ends with its context and says how far it is.
type source struct {
	ctx  context.Context
	list io.Reader
	read int64            // bytes so far
	told func(read int64) // may be nil
}

// Read implements io.Reader. A list that makes it wait is not interrupted: the
// context is looked at before each read.
func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.list.Read(p)
	s.read += int64(n)
	if s.told != nil && n > 0 {
		s.told(s.read)
	}
	return n, err
}
