package access

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

// Show is the input of access.show.
type Show struct {
	Text string `json:"text" rule:"max=100" doc:"only entries whose network or note holds this"`
}

// List is one list as it is shown.
type List struct {
	Mode     string  `json:"mode"`
	Sentence string  `json:"sentence"`
	Force    bool    `json:"force"` // its mode is in force
	Total    int     `json:"total"`
	Entries  []Entry `json:"entries"` // of these the first
}

// Shown is the output of access.show.
type Shown struct {
	Mode     string `json:"mode"`
	Sentence string `json:"sentence"`
	Lists    []List `json:"lists"`
	You      string `json:"you,omitempty"` // address that the caller comes from
}

const mostShown = 500

func (a *Access) show() act.Query[Show, Shown] {
	return act.Query[Show, Shown]{
		Name: "access.show", Doc: "Show from where administrators may act.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Sample: Show{}, Target: target[Show],
		Run: func(ctx context.Context, v *act.View, in Show) (Shown, error) {
			p, err := read(ctx, v)
			if err != nil {
				return Shown{}, err
			}
			out := Shown{Mode: p.mode, Sentence: sentences[p.mode], You: v.Actor().Address}
			for _, mode := range []string{AllBut, Only} {
				list := slices.DeleteFunc(append([]Entry{}, p.lists[mode]...), func(e Entry) bool { return !holds(e, in.Text) })
				out.Lists = append(out.Lists, List{mode, sentences[mode], mode == p.mode, len(p.lists[mode]), list[:min(len(list), mostShown)]})
			}
			return out, nil
		},
	}
}

func holds(e Entry, text string) bool {
	return text == "" || strings.Contains(strings.ToLower(e.Network.String()+" "+e.Note), strings.ToLower(text))
}

// Mode is the input of access.mode.
type Mode struct {
	Mode  string `json:"mode" cli:"arg" rule:"required,enum=all-but-listed|only-listed" doc:"all-but-listed: allowed, excluding the networks in its list; only-listed: denied from the networks that are not in its list"`
	AddMe bool   `json:"add_me" doc:"add the address you come from to the list of only-listed, in the same change"`
	Force bool   `json:"force" doc:"do it even if it shuts out the address you come from"`
}

// Changed is the output of what changes the lists.
type Changed struct {
	Mode    string `json:"mode"`
	Listed  int    `json:"listed"` // networks in the list that was changed
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
}

func (a *Access) mode() act.Change[Mode, Changed] {
	return act.Change[Mode, Changed]{
		Name: "access.mode", Doc: "Choose whether administrators are let in from everywhere but some networks, or from some networks only.", Class: class,
		Roles: act.Primary, Proof: proof, Must: []string{"access.changed"}, Serves: serves, Sample: Mode{Mode: Only, AddMe: true}, Target: target[Mode],
		Run: func(ctx context.Context, tx *act.Tx, in Mode) (Changed, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return Changed{}, err
			}
			old := p.mode
			p.mode = in.Mode
			var added []Entry
			if in.AddMe && in.Mode == Only {
				me, err := mine(tx)
				if err != nil {
					return Changed{}, err
				}
				p.lists[Only], added = with(p.lists[Only], []Entry{me})
			}
			if old == p.mode && len(added) == 0 {
				return Changed{Mode: p.mode, Listed: len(p.list(""))}, nil
			}
			fields := []act.Field{{Name: "mode", Old: &old, New: &p.mode}, {Name: "networks", New: text(added)}}
			if old == p.mode {
				fields = fields[1:]
			}
			return Changed{p.mode, len(p.list("")), len(added), 0}, a.change(ctx, tx, p, in.Force, fields...)
		},
	}
}

// mine is the address that the caller comes from.
func mine(tx *act.Tx) (Entry, error) {
	me := tx.Actor()
	address, err := netip.ParseAddr(me.Address)
	if err != nil {
		return Entry{}, core.Errorf(core.Conflict, "you come from no address that could be added; name the network with access.add")
	}
	address = address.Unmap().WithZone("")
	return Entry{core.Network{First: address, Last: address}, "added by " + me.Name, tx.Now()}, nil
}

// change writes a new policy, unless it shuts out who makes it.
func (a *Access) change(ctx context.Context, tx *act.Tx, p policy, force bool, fields ...act.Field) error {
	err := shutsOut(tx.Actor(), p)
	if err == nil && p.mode == Only && len(p.list("")) == 0 {
		err = core.Errorf(core.Conflict, "the list is empty: no administrator would get in any more but at the server's own command line; add a network first, or force it")
	}
	if err != nil && !force {
		return err
	}
	if err := write(ctx, tx, p); err != nil {
		return err
	}
	fields = slices.DeleteFunc(fields, func(f act.Field) bool { return f.Old == nil && f.New == nil })
	return tx.Record(ctx, "access.changed", self, fields...)
}

// shutsOut returns core.Conflict when a policy would shut out the address that
// somebody comes from. At the local command line there is none.
func shutsOut(a act.Actor, p policy) error {
	address, err := netip.ParseAddr(a.Address)
	if a.Kind != "account" || err != nil || admits(p.mode, set(p.list("")), address) {
		return nil
	}
	way := "leave it out of the list"
	if p.mode == Only {
		way = "add it to the list, which the same change can do"
	}
	return core.Errorf(core.Conflict, "this would shut out %s, the address you come from: %s, or force it", a.Address, way)
}

// Networks is the input of access.add.
type Networks struct {
	Networks string `json:"networks" cli:"arg" form:"textarea" rule:"required,max=65536" doc:"addresses and networks, by commas, blanks or lines: 192.0.2.7, 192.0.2.0/24, 192.0.2.*, 192.0.2.10-192.0.2.20, 2001:db8::/32"`
	Note     string `json:"note" rule:"max=200" doc:"what it is, such as office"`
	List     string `json:"list" rule:"enum=all-but-listed|only-listed" doc:"mode whose list it goes into; that in force when left out"`
	Force    bool   `json:"force" doc:"do it even if it shuts out the address you come from"`

	networks []core.Network
}

// Validate holds the rules beyond the tags.
func (n *Networks) Validate(f *core.Faults) {
	n.networks = core.ParseNetworks(f, "networks", n.Networks)
	if strings.Contains(n.Note, "#") || !fits(n.Note) {
		f.Add("note", n.Note, noteAccepted+" without #")
	}
}

func (a *Access) add() act.Change[Networks, Changed] {
	return act.Change[Networks, Changed]{
		Name: "access.add", Doc: "Add networks to a list of administrative access.", Class: class, Roles: act.Primary, Proof: proof,
		Must: []string{"access.changed"}, Serves: serves, Sample: Networks{Networks: "192.0.2.0/24", Note: "office", List: Only}, Target: target[Networks],
		Run: func(ctx context.Context, tx *act.Tx, in Networks) (Changed, error) {
			more := make([]Entry, len(in.networks))
			for i, n := range in.networks {
				more[i] = Entry{n, in.Note, tx.Now()}
			}
			return a.extend(ctx, tx, in.List, more, false, in.Force)
		},
	}
}

// extend adds to a list, or replaces it.
func (a *Access) extend(ctx context.Context, tx *act.Tx, mode string, more []Entry, replace, force bool) (Changed, error) {
	p, err := read(ctx, &tx.View)
	if err != nil {
		return Changed{}, err
	}
	mode = p.of(mode)
	old := p.lists[mode]
	var removed []Entry
	if replace {
		p.lists[mode], removed = nil, old
	}
	var added []Entry
	p.lists[mode], added = with(p.lists[mode], more)
	if len(p.lists[mode]) > mostListed {
		return Changed{}, core.Errorf(core.Conflict, "a list holds at most %d networks", mostListed)
	}
	out := Changed{mode, len(p.lists[mode]), len(added), len(removed)}
	if len(added)+len(removed) == 0 {
		return out, nil
	}
	return out, a.change(ctx, tx, p, force, act.Field{Name: mode, Old: text(removed), New: text(added)})
}

// Removed is the input of access.remove.
type Removed struct {
	Networks string `json:"networks" cli:"arg" form:"textarea" rule:"required,max=65536" doc:"addresses and networks as they stand in the list"`
	List     string `json:"list" rule:"enum=all-but-listed|only-listed" doc:"mode whose list it is taken from; that in force when left out"`
	Force    bool   `json:"force" doc:"do it even if it shuts out the address you come from"`

	networks []core.Network
}

// Validate holds the rules beyond the tags.
func (r *Removed) Validate(f *core.Faults) {
	r.networks = core.ParseNetworks(f, "networks", r.Networks)
}

func (a *Access) remove() act.Change[Removed, Changed] {
	return act.Change[Removed, Changed]{
		Name: "access.remove", Doc: "Take networks out of a list of administrative access.", Class: class, Roles: act.Primary, Proof: proof,
		Must: []string{"access.changed"}, Serves: serves, Sample: Removed{Networks: "192.0.2.0/24", List: Only}, Target: target[Removed],
		Run: func(ctx context.Context, tx *act.Tx, in Removed) (Changed, error) {
			p, err := read(ctx, &tx.View)
			if err != nil {
				return Changed{}, err
			}
			mode := p.of(in.List)
			rest, gone := without(p.lists[mode], in.networks)
			if len(gone) == 0 {
				return Changed{}, core.Errorf(core.NotFound, "none of these stands in the list; a network is named as the list has it")
			}
			p.lists[mode] = rest
			return Changed{mode, len(rest), 0, len(gone)}, a.change(ctx, tx, p, in.Force, act.Field{Name: mode, Old: text(gone)})
		},
	}
}

// Load is the input of access.load.
type Load struct {
	File    act.File `json:"file" cli:"arg" rule:"required" doc:"text file with one network a line; # begins a note"`
	List    string   `json:"list" rule:"enum=all-but-listed|only-listed" doc:"mode whose list it goes into; that in force when left out"`
	Replace bool     `json:"replace" doc:"put it in the place of what the list holds"`
	Force   bool     `json:"force" doc:"do it even if it shuts out the address you come from"`

	entries []Entry
}

func (a *Access) load() act.Change[Load, Changed] {
	return act.Change[Load, Changed]{
		Name: "access.load", Doc: "Take a file of networks into a list of administrative access.", Class: class, Roles: act.Primary, Proof: proof,
		Must: []string{"access.changed"}, Serves: serves, Sample: Load{File: act.NewFile("192.0.2.0/24 # office\n198.51.100.7\n"), List: Only}, Target: target[Load],
		Prepare: func(_ context.Context, v *act.View, in *Load) (err error) {
			in.entries, err = parseFile(v, in.File)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Load) (Changed, error) {
			return a.extend(ctx, tx, in.List, in.entries, in.Replace, in.Force)
		},
	}
}

// parseFile reads a file of networks and names every wrong line, the first few.
func parseFile(v *act.View, file act.File) ([]Entry, error) {
	r, err := v.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var entries []Entry
	var faults core.Faults
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan() && len(faults) < 20; n++ {
		e, found, err := parseLine(lines.Text(), v.Now())
		switch {
		case err != nil:
			faults.Add(fmt.Sprintf("file, line %d", n), lines.Text(), err.Error())
		case !fits(e.Note):
			faults.Add(fmt.Sprintf("file, line %d", n), e.Note, noteAccepted)
		case found && len(entries) >= mostListed:
			return nil, core.Errorf(core.Invalid, "the file has more than %d networks", mostListed)
		case found:
			entries = append(entries, e)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, core.Wrap(core.Invalid, err, "the file cannot be read as lines of text")
	}
	return entries, faults.Err()
}

// Nothing is an input without fields.
type Nothing struct{}

// reset is the way back in for who shut himself out: everybody is let in from
// everywhere. What the other list held is in the record.
func (a *Access) reset() act.Change[Nothing, Changed] {
	return act.Change[Nothing, Changed]{
		Name: "access.reset", Doc: "Let administrators in from everywhere again, at the server's own command line.", Class: class, Roles: act.Primary,
		Must: []string{"access.changed"}, Serves: serves, Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, tx *act.Tx, _ Nothing) (Changed, error) {
			if tx.Actor().Kind != "os" {
				return Changed{}, core.Errorf(core.Denied, "access is reset at the server's own command line; here change the lists")
			}
			p, err := read(ctx, &tx.View)
			if err != nil || p.mode == AllBut && len(p.lists[AllBut]) == 0 {
				return Changed{Mode: p.mode}, err
			}
			fields := []act.Field{{Name: AllBut, Old: text(p.lists[AllBut])}}
			if old := p.mode; old != AllBut {
				mode := AllBut
				fields = append(fields, act.Field{Name: "mode", Old: &old, New: &mode})
			}
			out := Changed{Mode: AllBut, Removed: len(p.lists[AllBut])}
			p.mode, p.lists[AllBut] = AllBut, nil
			return out, a.change(ctx, tx, p, true, fields...)
		},
	}
}

// Try is the input of access.try.
type Try struct {
	Mode   string `json:"mode" cli:"arg" rule:"enum=all-but-listed|only-listed" doc:"mode to try; that in force when left out"`
	Add    string `json:"add" form:"textarea" rule:"max=65536" doc:"networks that would be added to its list"`
	Remove string `json:"remove" form:"textarea" rule:"max=65536" doc:"networks that would be taken out of it"`

	add, remove []core.Network
}

// Validate holds the rules beyond the tags.
func (t *Try) Validate(f *core.Faults) {
	t.add, t.remove = core.ParseNetworks(f, "add", t.Add), core.ParseNetworks(f, "remove", t.Remove)
}

// Refusal is somebody who would have been refused.
type Refusal struct {
	Account string    `json:"account"`
	Login   string    `json:"login"`
	Role    string    `json:"role"`
	Address string    `json:"address"`
	Times   int       `json:"times"`
	Last    time.Time `json:"last"`
}

// Trial is the output of access.try.
type Trial struct {
	Mode     string    `json:"mode"`
	Listed   int       `json:"listed"`
	Admitted int       `json:"admitted"` // log-ins that would have gone through
	Refused  []Refusal `json:"refused"`
	Peers    int       `json:"peers,omitempty"` // more log-ins that would have been refused: of administrators whom the reader does not see
	You      bool      `json:"you"`             // the caller would still be let in
	Since    time.Time `json:"since"`           // of the oldest log-in that was looked at
	All      bool      `json:"all"`             // all of the 90 days were looked at
}

const (
	trialDays = 90     // as long as the log keeps addresses
	mostTried = 50_000 // log-ins of whomever: it bounds the work
)

// try holds the log-ins of the last 90 days against lists that might be.
func (a *Access) try() act.Query[Try, Trial] {
	return act.Query[Try, Trial]{
		Name: "access.try", Doc: "Say who of the last 90 days' log-ins would have been refused.", Class: class, Roles: act.Admins | act.Auditor, Logged: true, Serves: serves,
		Sample: Try{Mode: Only, Add: "192.0.2.0/24"}, Target: target[Try], Run: a.runTry,
	}
}

func (a *Access) runTry(ctx context.Context, v *act.View, in Try) (Trial, error) {
	p, err := read(ctx, v)
	if err != nil {
		return Trial{}, err
	}
	p.mode = p.of(in.Mode)
	more := make([]Entry, len(in.add))
	for i, n := range in.add {
		more[i].Network = n
	}
	list, _ := with(p.list(""), more)
	list, _ = without(list, in.remove)
	p.lists[p.mode] = list
	t := trial{Trial: Trial{Mode: p.mode, Listed: len(list), You: shutsOut(v.Actor(), p) == nil, Since: v.Now().AddDate(0, 0, -trialDays), All: true},
		set: set(list), who: map[string]act.Actor{}, found: map[[2]string]int{}}
	err = a.Logins(ctx, v, t.Since, func(account, address string, at time.Time) bool {
		if t.fault == nil {
			t.fault = t.judge(ctx, v, a.Accounts, account, address, at)
		}
		return t.fault == nil && t.All
	})
	if err == nil {
		err = t.fault
	}
	if t.Refused == nil {
		t.Refused = []Refusal{}
	}
	return t.Trial, err
}

// trial is one under way.
type trial struct {
	Trial
	set    *core.Networks
	who    map[string]act.Actor
	found  map[[2]string]int // account and address -> index in Refused
	looked int
	fault  error
}

func (t *trial) judge(ctx context.Context, v *act.View, accounts Accounts, account, address string, at time.Time) error {
	who, known := t.who[account]
	if !known {
		var err error
		if who, _, err = accounts.Actor(ctx, v, account); err != nil && core.CodeOf(err) != core.NotFound {
			return err
		}
		t.who[account] = who
	}
	if t.looked++; t.looked >= mostTried {
		t.All, t.Since = false, at
	}
	from, err := netip.ParseAddr(address)
	if who.Role&concerned == 0 || err != nil {
		return nil
	}
	if admits(t.Mode, t.set, from) {
		t.Admitted++
		return nil
	}
	if v.Actor().Peer(who.ID, who.Role) {
		t.Peers++
		return nil
	}
	key := [2]string{account, address}
	i, seen := t.found[key]
	if !seen {
		i = len(t.Refused)
		t.found[key] = i
		t.Refused = append(t.Refused, Refusal{Account: who.ID, Login: who.Name, Role: who.Role.String(), Address: address, Last: at})
	}
	t.Refused[i].Times++
	return nil
}
