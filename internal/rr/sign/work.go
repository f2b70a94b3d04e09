package sign

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// job is an RRset of a node that is not in a zone yet, and the keys that are to
// sign it; their signatures are in place, without octets.
type job struct {
	node *node
	set  int
	by   []int // indexes into plan.signers
}

// prepare gives each set of a new node the signatures it should have: those it
// has and that keep accepts, and new ones, for which it returns jobs.
func (p *plan) prepare(n *node, now time.Time, keep func(s *set, sig *signature) bool) (jobs []job) {
	for i := range n.sets {
		s := &n.sets[i]
		if !n.role.signed(s.code) {
			s.sigs = nil
			continue
		}
		if by := p.renew(s, now, keep); len(by) > 0 {
			jobs = append(jobs, job{n, i, by})
		}
	}
	return jobs
}

// renew replaces a set's signatures and returns the keys whose are to be made.
func (p *plan) renew(s *set, now time.Time, keep func(s *set, sig *signature) bool) (by []int) {
	wanted := p.signing(s.code)
	sigs := make([]signature, len(wanted))
	for i, k := range wanted {
		signer := &p.signers[k]
		if old := s.by(signer.id); old != nil && keep(s, old) {
			sigs[i] = *old
			continue
		}
		from, until := p.Timing.window(s.RRset, now)
		sigs[i] = signature{by: signer.id, inception: from, expiration: until, tag: signer.tag, algorithm: signer.Algorithm}
		by = append(by, k)
	}
	s.sigs = sigs
	return by
}

// by returns the signature of a key, or nil.
func (s *set) by(id KeyID) *signature {
	for i := range s.sigs {
		if s.sigs[i].by == id {
			return &s.sigs[i]
		}
	}
	return nil
}

// blockSize is how many jobs a worker takes at once.
const blockSize = 32

// sign carries jobs out, on several cores if it pays. After an error nothing of
// the nodes may be used.
func (p *plan) sign(ctx context.Context, jobs []job) error {
	workers := min(p.Workers, (len(jobs)+blockSize-1)/blockSize)
	if workers <= 1 {
		return p.work(ctx, jobs, new(atomic.Int64))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			if err := p.work(ctx, jobs, &next); err != nil {
				stop(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// work takes blocks of jobs until there are no more.
func (p *plan) work(ctx context.Context, jobs []job, next *atomic.Int64) error {
	d := desk{plan: p}
	for {
		from := int(next.Add(blockSize)) - blockSize
		if from >= len(jobs) {
			return nil
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := d.block(ctx, jobs[from:min(from+blockSize, len(jobs))]); err != nil {
			return err
		}
	}
}

// desk is where one worker writes messages.
type desk struct {
	*plan
	paper    []byte
	messages []message
	texts    [][]byte
}

// message is a stretch of the paper, and the signature it is for.
type message struct {
	sig      *signature
	by       int
	from, to int
}

func (d *desk) block(ctx context.Context, jobs []job) error {
	d.paper, d.messages = d.paper[:0], d.messages[:0]
	for _, j := range jobs {
		if err := d.write(j); err != nil {
			return err
		}
	}
	for k := range d.signers {
		if err := d.signWith(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// write writes the messages of one job. The records are written once and copied.
func (d *desk) write(j job) error {
	s := &j.node.sets[j.set]
	owner := j.node.name.Wire()
	labels := labelsOf(owner)
	records := -1
	var end int
	for _, k := range j.by {
		sig := s.by(d.signers[k].id)
		from := len(d.paper)
		d.paper = appendHead(d.paper, s, sig, labels, d.apexWire)
		if records >= 0 {
			d.paper = append(d.paper, d.paper[records:end]...)
		} else {
			records = len(d.paper)
			var err error
			if d.paper, err = appendRecords(d.paper, s, owner); err != nil {
				return fmt.Errorf("signing %s: %w", s.Key(), err)
			}
			end = len(d.paper)
		}
		d.messages = append(d.messages, message{sig, k, from, len(d.paper)})
	}
	return nil
}

// signWith has one key sign what is on the desk for it.
func (d *desk) signWith(ctx context.Context, k int) error {
	d.texts = d.texts[:0]
	for _, m := range d.messages {
		if m.by == k {
			d.texts = append(d.texts, d.paper[m.from:m.to:m.to])
		}
	}
	if len(d.texts) == 0 {
		return nil
	}
	signatures, err := signAll(ctx, d.signers[k].Signer, d.texts)
	if err != nil {
		return fmt.Errorf("signing for %s with the key %s: %w", d.Origin, d.signers[k].id, err)
	}
	for _, m := range d.messages {
		if m.by != k {
			continue
		}
		if len(signatures) == 0 || len(signatures[0]) != signatureSize {
			return fmt.Errorf("signing for %s with the key %s: the signer gave no signature of %d octets", d.Origin, d.signers[k].id, signatureSize)
		}
		copy(m.sig.octets[:], signatures[0])
		signatures = signatures[1:]
	}
	return nil
}

// signAll signs several messages, at once if the signer can.
func signAll(ctx context.Context, s Signer, messages [][]byte) ([][]byte, error) {
	if b, ok := s.(Batch); ok {
		return b.SignBatch(ctx, messages)
	}
	out := make([][]byte, len(messages))
	for i, m := range messages {
		var err error
		if out[i], err = s.Sign(ctx, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}
