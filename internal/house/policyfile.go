package house

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/policy"
	"hostward/internal/ini"
	"hostward/internal/ledger"
)

// policyFile joins panel.ini with the feature that puts it on record: it fills
// the feature's port, adopts what the file says, and writes what was wished.
type policyFile struct {
	path    string
	watcher *ini.Watcher
	bus     *act.Bus
	sealer  *ledger.Sealer
	log     *slog.Logger
	force   atomic.Pointer[ini.Policy]  // what the doors obey
	later   func(func(context.Context)) // runs in the background
}

// nis2Key cannot be set in the panel (SPEC L6).
const nis2Key = "[actionLog] nis2compliant"

var _ policy.File = (*policyFile)(nil)

// Keys lists the keys of panel.ini.
func (p *policyFile) Keys() []policy.Key {
	var keys []policy.Key
	for _, f := range ini.Fields() {
		keys = append(keys, policy.Key{Name: f.Name(), Accepted: f.Accepted, Panel: !f.Root})
	}
	return keys
}

// Check reads the value as if it stood in an otherwise empty file.
func (p *policyFile) Check(name, value string) core.Faults {
	f, faults := ini.Parse(nil)
	if faults != nil {
		return faults
	}
	section, key := split(name)
	if err := f.Set(section, key, value); err != nil {
		return core.Faults{{Field: "value", Value: value, Accepted: err.Error()}}
	}
	_, _, faults = ini.Read(f.Bytes())
	return faults
}

// split reads "[api] enabled".
func split(name string) (section, key string) {
	section, key, _ = strings.Cut(strings.TrimPrefix(name, "["), "] ")
	return section, key
}

// State says what is in force now.
func (p *policyFile) State() policy.State {
	l := p.watcher.Current()
	s := policy.State{Path: l.Path, Source: string(l.Source), Sentence: l.Sentence(), Since: l.Since, Values: map[string]string{}}
	for _, f := range l.Faults {
		s.Faults = append(s.Faults, f.String())
	}
	for _, n := range l.Notes {
		s.Notes = append(s.Notes, fmt.Sprintf("line %d: %s", n.Line, n.Text))
	}
	for _, f := range ini.Fields() {
		s.Values[f.Name()] = f.Show(p.current())
	}
	return s
}

// current is the policy that the doors obey.
func (p *policyFile) current() ini.Policy { return *p.force.Load() }

// adopt puts a loaded policy on record and into force, in this order: what
// weakens the log must be in the log first. Switching the NIS2 mode off takes
// effect when its record is sealed, and witnessed where a witness is set up;
// the other keys need not wait for that.
func (p *policyFile) adopt(ctx context.Context, l ini.Loaded) {
	in := policy.Adopted{Source: string(l.Source)}
	for _, f := range ini.Fields() {
		in.Values = append(in.Values, policy.Value{Name: f.Name(), Value: f.Show(l.Policy)})
	}
	_, r, err := policy.Adopt.Call(ctx, p.bus, act.SystemActor("panel.ini"), in)
	if err != nil {
		p.log.Error("panel.ini could not be put on record; the policy before it stays in force", "error", err)
		return
	}
	next := l.Policy
	if p.current().NIS2 && !next.NIS2 {
		next.NIS2 = true
		p.later(func(ctx context.Context) { p.relax(ctx, int64(r.Index)) })
	}
	p.force.Store(&next)
	if len(l.Faults) > 0 {
		p.log.Warn("panel.ini has faults", "sentence", l.Sentence(), "faults", l.Faults)
	}
}

// relax switches the NIS2 mode off once the record of it is proved, if the
// file still says so then.
func (p *policyFile) relax(ctx context.Context, seq int64) {
	if err := p.sealer.WaitFor(ctx, seq, p.proof()); err != nil {
		p.log.Error("the NIS2 mode stays on: the record of switching it off is not proved yet", "error", err)
		return
	}
	if l := p.watcher.Current(); !l.Policy.NIS2 {
		p.force.Store(&l.Policy)
	}
}

func (p *policyFile) proof() ledger.State {
	if p.sealer.LastWitnessed().Tree.Size > 0 {
		return ledger.Witnessed
	}
	return ledger.Sealed
}

// write carries out the wishes that are on record and waits until the file is
// read again, so that the caller's answer is true.
func (p *policyFile) write(ctx context.Context) string {
	var wishes []policy.Value
	err := p.bus.Look(ctx, "panel.ini", func(v *act.View) (err error) {
		wishes, err = policy.Wishes(ctx, v)
		return err
	})
	if err == nil && len(wishes) > 0 {
		err = ini.Edit(p.path, func(f *ini.File) error { return setAll(f, wishes) })
		p.watcher.Reload()
	}
	if err != nil {
		p.log.Error("panel.ini could not be written", "error", err)
		return act.Drift
	}
	if p.watcher.Current().Source != ini.FromFile {
		return act.Drift
	}
	return act.InForce
}

func setAll(f *ini.File, wishes []policy.Value) error {
	for _, w := range wishes {
		section, key := split(w.Name)
		if err := f.Set(section, key, w.Value); err != nil {
			return err
		}
	}
	return nil
}
