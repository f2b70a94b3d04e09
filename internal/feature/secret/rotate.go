package secret

import (
	"context"
	"fmt"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

func (s *Secrets) run(ctx context.Context, w *act.Work, in Rotate) (string, error) {
	steps := int64(1)
	if in.Values {
		steps += int64(len(s.holders))
	}
	w.Progress(0, steps)
	said, err := s.replace(ctx, w)
	summary := []string{said}
	for i, h := range s.holders {
		if err != nil || !in.Values {
			break
		}
		w.Progress(int64(i+1), steps)
		said, err = s.renew(ctx, w, h)
		summary = append(summary, said)
	}
	w.Progress(steps, steps)
	return strings.Join(summary, "; "), err
}

// replace rotates the secret key. That of systemd is replaced at the server, and
// Adopt notes it.
func (s *Secrets) replace(ctx context.Context, w *act.Work) (string, error) {
	now, err := s.keys.Status(ctx)
	if err != nil {
		return "", err
	}
	if now.Credential {
		return "the secret key is systemd's and was left alone; its credential is replaced at the server", nil
	}
	old, id, err := s.keys.Rotate(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the secret key %s was replaced by %s", old, id), s.call(ctx, w.Bus(), Note{Secret: id})
}

// renew has everything that is sealed for a purpose sealed again. That the new key
// is in force is put on record first: behind that record no operation is under way
// that sealed with the old one. The old key is destroyed last, when nothing is
// sealed under it any more.
func (s *Secrets) renew(ctx context.Context, w *act.Work, h Holder) (string, error) {
	generation, err := s.keys.Renew(ctx, h.Purpose)
	if err != nil || generation == 0 {
		return "nothing is sealed for " + h.Purpose, err
	}
	if err := s.call(ctx, w.Bus(), Note{Purpose: h.Purpose, Generation: generation}); err != nil {
		return "", err
	}
	n, err := h.Reseal(ctx, w.Bus(), func(ctx context.Context, ad, sealed []byte) ([]byte, error) {
		return s.keys.Reseal(ctx, h.Purpose, ad, sealed)
	})
	if err != nil {
		return "", core.Wrap(core.Internal, err, "values sealed for "+h.Purpose+" could not all be sealed again; what was sealed under the old key still opens")
	}
	if err := s.keys.Retire(ctx, h.Purpose, generation); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d values for %s were sealed again under key %d", n, h.Purpose, generation),
		s.call(ctx, w.Bus(), Note{Purpose: h.Purpose, Generation: generation, Values: n})
}
