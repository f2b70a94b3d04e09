package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hostward/internal/core"
	"hostward/internal/file"
	"hostward/internal/host"
	"hostward/internal/ledger"
)

// Delivery is an order with the proof that it is on record.
type Delivery struct {
	Order []byte `json:"order"` // host.Order.Bytes
	Proof []byte `json:"proof"` // a proof file of the record, see ledger.FormatProof
	Key   string `json:"key"`   // verifier key of the log, in case none is pinned yet
}

// pins are the verifier keys of the log that root trusts, one a line.
type pins struct{ path string }

func (p pins) read() ([]string, error) {
	data, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

// Pin makes key the one that proofs are checked with, in the agent's folder dir. It
// is root's own act: after the log began a new epoch, whose key is another.
func Pin(dir, key string) error {
	if err := ledger.CheckKey(key); err != nil {
		return fmt.Errorf("pinning the log's key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // root names the folder
		return err
	}
	return file.Replace(filepath.Join(dir, "log.key"), []byte(key+"\n"), 0o600)
}

// check returns the order and the id of the record that holds its digest. A key
// that was pinned by this very proof is returned too.
func (p pins) check(d Delivery) (o host.Order, leaf, pinned string, err error) {
	if o, err = host.ParseOrder(d.Order); err != nil {
		return o, "", "", core.Errorf(core.Invalid, "%v", err)
	}
	keys, err := p.read()
	if err != nil {
		return o, "", "", err
	}
	if len(keys) == 0 {
		keys, pinned = []string{d.Key}, d.Key
	}
	l, err := provedBy(keys, d.Proof)
	if err != nil {
		return o, "", "", core.Errorf(core.Denied, "the order is not proved: %v", err)
	}
	if l.Outcome != ledger.Done {
		return o, "", "", core.Errorf(core.Denied, "the record %s is of something that was not done", l.ID)
	}
	ref := core.Ref{Kind: "control", ID: o.Control}
	holds := slices.ContainsFunc(l.Objects, func(k ledger.Link) bool { return k.Object == ref && k.State == host.Digest(d.Order) })
	if !holds {
		return o, "", "", core.Errorf(core.Denied, "the record %s does not hold this order of %s", l.ID, o.Control)
	}
	return o, l.ID, pinned, nil
}

func provedBy(keys []string, proof []byte) (*ledger.Leaf, error) {
	var errs []error
	for _, key := range keys {
		l, _, _, err := ledger.CheckProof(proof, nil, key, nil)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
