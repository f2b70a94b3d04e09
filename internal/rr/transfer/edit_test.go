package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/rr/transfer/transfertest"
)

// runTool feeds a script to nsupdate or knsupdate and returns what it says.
func runTool(t testing.TB, tool string, port int, k transfer.Key, script string) (string, error) {
	cmd := exec.Command(transfertest.Program(t, tool), "-y", k.Text(transfer.FormDig).Reveal())
	cmd.Stdin = strings.NewReader(fmt.Sprintf("server 127.0.0.1 %d\nzone z.example.\n%s\nsend\n", port, script))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestUpdateToolsChangeAZone(t *testing.T) {
	for _, tool := range []string{"nsupdate", "knsupdate"} {
		t.Run(tool, func(t *testing.T) {
			k := newKey(t, "acme.key.", transfer.SHA256)
			ours := startPrimary(t, &k)
			ours.policy = transfer.Policy{{Key: k.Name, Match: transfer.Subtree, Name: "dyn.z.example."}, {Key: k.Name, Match: transfer.Exactly, Name: "_acme-challenge.z.example.", Types: []string{"TXT"}}}
			ours.publish(sample(t, 1, 1), false)
			for script, want := range map[string]string{
				"update add _acme-challenge.z.example. 60 TXT \"token\"":                                     "",
				"prereq nxdomain h.dyn.z.example.\nupdate add h.dyn.z.example. 60 AAAA 2001:db8::7":          "",
				"update add www.z.example. 60 A 192.0.2.1":                                                   "REFUSED",
				"update add _acme-challenge.z.example. 60 SRV 0 0 0 x.example.":                              "REFUSED",
				"update delete z.example.":                                                                   "REFUSED",
				"prereq yxdomain nothing.z.example.\nupdate add x.dyn.z.example. 60 A 192.0.2.1":             "NXDOMAIN",
				"prereq nxdomain www.z.example.\nupdate add x.dyn.z.example. 60 A 192.0.2.1":                 "YXDOMAIN",
				"prereq yxrrset mail.z.example. A 192.0.2.99\nupdate add x.dyn.z.example. 60 A 192.0.2.1":    "NXRRSET",
				"prereq nxrrset mail.z.example. A\nupdate add x.dyn.z.example. 60 A 192.0.2.1":               "YXRRSET",
				"update add out.other. 60 A 192.0.2.1":                                                       "NOTZONE",
				"prereq yxrrset mail.z.example. A 192.0.2.3\nupdate add twice.dyn.z.example. 60 A 192.0.2.1": "",
			} {
				out, err := runTool(t, tool, ours.port, k, script)
				if want == "" && err != nil || want != "" && !strings.Contains(strings.ToUpper(out), want) {
					t.Errorf("%s\nsays %q (%v), want %q; here\n%s", script, out, err, want, ours.seen())
				}
			}
			z, _, _ := ours.zone(origin)
			for key, data := range map[rr.Key]string{
				{Name: "_acme-challenge.z.example.", Type: "TXT"}: `"token"`, {Name: "h.dyn.z.example.", Type: "AAAA"}: "2001:db8::7", {Name: "twice.dyn.z.example.", Type: "A"}: "192.0.2.1",
			} {
				if s := find(z.sets, key.Name, key.Type); s == nil || s.Data[0] != data {
					t.Errorf("%s is not there: %v", key, s)
				}
			}
			if find(z.sets, "x.dyn.z.example.", "A") != nil || serialOf(z.sets) != 4 {
				t.Errorf("serial %d", serialOf(z.sets))
			}
			wrong := newKey(t, k.Name, transfer.SHA256)
			if out, err := runTool(t, tool, ours.port, wrong, "update add a.dyn.z.example. 60 A 192.0.2.1"); err == nil && !strings.Contains(out, "TSIG") {
				t.Errorf("a wrong key: %s", out)
			}
		})
	}
}

func updateNames() []rr.Name {
	return []rr.Name{origin, "a.z.example.", "b.z.example.", "c.a.z.example.", "*.w.z.example.", "a.b.c.d.z.example."}
}

// drawEdits makes an update of few names and types, so that they meet.
func drawEdits(t *rapid.T) transfer.Edits {
	data := map[string][]string{
		"A": {"192.0.2.1", "192.0.2.2"}, "TXT": {`"x"`, `"y"`}, "CNAME": {"t.example.", "u.example."}, "NS": {"ns1.z.example.", "ns9.example."}, "MX": {"10 m.example."},
		"DNAME": {"d.example.", "e.example."}, "SOA": {"ns1.z.example. hostmaster.z.example. 1 2 3 4 5"},
	}
	types := []string{"A", "TXT", "CNAME", "NS", "MX", "DNAME"}
	name := func() rr.Name { return rapid.SampledFrom(updateNames()).Draw(t, "name") }
	e := transfer.Edits{Zone: origin}
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "conditions") {
		c := transfer.Condition{Name: name(), Kind: rapid.SampledFrom([]transfer.ConditionKind{transfer.NameUsed, transfer.NameFree, transfer.SetExists, transfer.SetEquals, transfer.SetAbsent}).Draw(t, "condition")}
		if c.Kind != transfer.NameUsed && c.Kind != transfer.NameFree {
			c.Type = rapid.SampledFrom(types).Draw(t, "type")
		}
		if c.Kind == transfer.SetEquals {
			c.Data = data[c.Type][:rapid.IntRange(1, len(data[c.Type])).Draw(t, "data")]
		}
		if !slices.ContainsFunc(e.If, func(o transfer.Condition) bool { return o.Name == c.Name && o.Type == c.Type }) {
			e.If = append(e.If, c)
		}
	}
	for range rapid.IntRange(1, 5).Draw(t, "edits") {
		one := transfer.Edit{Name: name(), Kind: rapid.SampledFrom([]transfer.EditKind{transfer.Add, transfer.Add, transfer.RemoveSet, transfer.RemoveName, transfer.Remove}).Draw(t, "edit")}
		if one.Kind != transfer.RemoveName {
			one.Type = rapid.SampledFrom(types).Draw(t, "type")
		}
		if one.Type == "DNAME" && one.Name == origin { // BIND refuses what hides the addresses of its nameservers
			one.Name = "a.z.example."
		}
		if (one.Type == "NS" || one.Type == "DNAME") && one.Name.Wildcard() { // BIND passes over these: RFC 4592 4.2 and 4.4 leave them undefined
			one.Name = "a.z.example."
		}
		if one.Kind == transfer.RemoveSet && rapid.IntRange(0, 5).Draw(t, "SOA") == 0 {
			one.Type = "SOA"
		}
		if one.Kind == transfer.Add || one.Kind == transfer.Remove {
			one.Data = rapid.SampledFrom(data[one.Type]).Draw(t, "data")
		}
		if one.Kind == transfer.Add {
			one.TTL = rapid.SampledFrom([]uint32{60, 300}).Draw(t, "ttl")
		}
		e.Then = append(e.Then, one)
	}
	return e
}

func faultOf(err error) *transfer.Fault {
	var f *transfer.Fault
	errors.As(err, &f)
	return f
}

func rcodeOf(err error) transfer.Rcode {
	if f := faultOf(err); f != nil {
		return f.Rcode
	}
	return transfer.Success
}

// BIND is the reference of RFC 2136: hundreds of random updates must have the
// same answer and the same effect here as there.
func TestUpdatesHaveTheEffectTheyHaveInBIND(t *testing.T) {
	k := newKey(t, "shared.key.example.", transfer.SHA256)
	s := transfertest.Setting{Dir: t.TempDir(), Listen: coretest.Free(t), Zone: "z.example", Key: &k, Sets: sample(t, 1, 300)}
	transfertest.Primaries()[0].Start(t, s)
	peer := transfer.Peer{Address: s.Listen.String(), Key: &k}
	transfertest.Until(t, func() string { return "BIND answers" }, func() bool {
		_, err := testClient().SOA(testContext(t), peer, origin)
		return err == nil
	})
	fetch := func() []rr.RRset {
		got, err := testClient().Fetch(testContext(t), peer, origin, nil)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(got.Sets, func(s rr.RRset) bool { return s.Type == "SOA" })
	}
	soa := rr.RRset{Name: origin, Type: "SOA", TTL: 300, Data: []string{soa(1).Data}}
	made := 0
	rapid.Check(t, func(rt *rapid.T) {
		before := fetch()
		view := transfer.ViewOf(append(slices.Clone(before), soa))
		e := drawEdits(rt)
		want, got := rcodeOf(testClient().Update(testContext(t), peer, e)), rcodeOf(e.Hold(view))
		if got != want {
			rt.Fatalf("%+v\nours says %s, BIND %s", e, got, want)
		}
		ours := before
		if got == transfer.Success {
			ours = patched(before, e.Make(view).Changes)
			made++
		}
		if d := cmp.Diff(fetch(), ours); d != "" {
			rt.Fatalf("%+v\nhas another effect in BIND (-) than here (+):\n%s", e, d)
		}
	})
	if made < 20 {
		t.Errorf("only %d updates were made", made)
	}
}

// readEdits is an update as the server reads what the client writes.
func TestAnUpdateIsReadAsItWasWritten(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA256)
	rapid.Check(t, func(rt *rapid.T) {
		want := drawEdits(rt)
		var got transfer.Edits
		c := wired(t, nil)
		c.Dial = recorder(t, &k, func(r *transfer.Request) {
			var err error
			if got, err = r.Edits(100); err != nil {
				rt.Fatal(err)
			}
		})
		if err := c.Update(t.Context(), transfer.Peer{Address: "x", Key: &k}, want); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatal(d)
		}
	})
}

// updateWith packs an update of single records.
func updateWith(t testing.TB, conditions, edits []dns.RR) *transfer.Request {
	t.Helper()
	m := new(dns.Msg)
	m.SetUpdate(string(origin))
	m.Answer, m.Ns = conditions, edits
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	r, err := transfer.Read(b, func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false }, moment)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bare(name string, typ, class uint16, ttl uint32) dns.RR {
	return &dns.ANY{Hdr: dns.RR_Header{Name: name, Rrtype: typ, Class: class, Ttl: ttl}}
}

func classed(t testing.TB, line string, class uint16, ttl uint32) dns.RR {
	t.Helper()
	r, err := dns.NewRR(line)
	if err != nil {
		t.Fatal(err)
	}
	r.Header().Class, r.Header().Ttl = class, ttl
	return r
}

func TestUpdatesThatAreNoneAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		condition, edit dns.RR
		want            transfer.Rcode
	}{
		"condition with TTL":          {condition: bare("a.z.example.", 1, dns.ClassANY, 1), want: transfer.FormErr},
		"condition ANY with data":     {condition: classed(t, a1, dns.ClassANY, 0), want: transfer.FormErr},
		"condition NONE with data":    {condition: classed(t, a1, dns.ClassNONE, 0), want: transfer.FormErr},
		"condition of class CH":       {condition: classed(t, a1, dns.ClassCHAOS, 0), want: transfer.FormErr},
		"condition on AXFR":           {condition: bare("a.z.example.", dns.TypeAXFR, dns.ClassANY, 0), want: transfer.FormErr},
		"condition elsewhere":         {condition: bare("a.y.example.", 1, dns.ClassANY, 0), want: transfer.NotZone},
		"value condition without any": {condition: bare("a.z.example.", 1, dns.ClassINET, 0), want: transfer.FormErr},
		"edit elsewhere":              {edit: classed(t, "a.y.example. A 192.0.2.1", dns.ClassINET, 60), want: transfer.NotZone},
		"edit of type ANY":            {edit: bare("a.z.example.", dns.TypeANY, dns.ClassINET, 60), want: transfer.FormErr},
		"edit of type AXFR":           {edit: bare("a.z.example.", dns.TypeAXFR, dns.ClassANY, 0), want: transfer.FormErr},
		"removal with TTL":            {edit: bare("a.z.example.", 1, dns.ClassANY, 1), want: transfer.FormErr},
		"removal of a set with data":  {edit: classed(t, a1, dns.ClassANY, 0), want: transfer.FormErr},
		"removal NONE with TTL":       {edit: classed(t, a1, dns.ClassNONE, 5), want: transfer.FormErr},
		"removal NONE of ANY":         {edit: bare("a.z.example.", dns.TypeANY, dns.ClassNONE, 0), want: transfer.FormErr},
		"class HS":                    {edit: classed(t, a1, dns.ClassHESIOD, 0), want: transfer.FormErr},
		"TTL beyond RFC 2181":         {edit: classed(t, a1, dns.ClassINET, 1<<31), want: transfer.FormErr},
		"RRSIG":                       {edit: classed(t, "a.z.example. RRSIG A 13 2 300 20270101000000 20260101000000 1 z.example. AAAA", dns.ClassINET, 60), want: transfer.Refused},
		"NSEC removed":                {edit: bare("a.z.example.", dns.TypeNSEC, dns.ClassANY, 0), want: transfer.Refused},
	} {
		var conditions, edits []dns.RR
		if c.condition != nil {
			conditions = []dns.RR{c.condition}
		}
		if c.edit != nil {
			edits = []dns.RR{c.edit}
		}
		_, err := updateWith(t, conditions, edits).Edits(10)
		if f := faultOf(err); f == nil || f.Rcode != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	many := make([]dns.RR, 11)
	for i := range many {
		many[i] = classed(t, a1, dns.ClassINET, 60)
	}
	_, err := updateWith(t, nil, many).Edits(10)
	wantFault(t, err, transfer.Refused, 0)
}

func TestTheZonesOwnRecordsOutliveUpdates(t *testing.T) {
	sets := sample(t, 5, 0, "sig RRSIG A 13 2 300 20270101000000 20260101000000 1 z.example. AAAA")
	for name, c := range map[string]struct {
		edit    transfer.Edit
		changes int
		ignored bool
	}{
		"SOA older":        {transfer.Edit{Kind: transfer.Add, Name: origin, Type: "SOA", Data: soa(4).Data}, 0, true},
		"SOA the same":     {transfer.Edit{Kind: transfer.Add, Name: origin, Type: "SOA", Data: soa(5).Data}, 0, true},
		"SOA newer":        {transfer.Edit{Kind: transfer.Add, Name: origin, Type: "SOA", Data: soa(6).Data}, 1, false},
		"SOA elsewhere":    {transfer.Edit{Kind: transfer.Add, Name: "a.z.example.", Type: "SOA", Data: soa(6).Data}, 0, true},
		"SOA removed":      {transfer.Edit{Kind: transfer.Remove, Name: origin, Type: "SOA", Data: soaOf(sets).Data}, 0, true},
		"SOA set removed":  {transfer.Edit{Kind: transfer.RemoveSet, Name: origin, Type: "SOA"}, 0, true},
		"NS set removed":   {transfer.Edit{Kind: transfer.RemoveSet, Name: origin, Type: "NS"}, 0, true},
		"one NS removed":   {transfer.Edit{Kind: transfer.Remove, Name: origin, Type: "NS", Data: "ns1.z.example."}, 1, false},
		"apex emptied":     {transfer.Edit{Kind: transfer.RemoveName, Name: origin}, 2, false}, // MX, CAA
		"signature stays":  {transfer.Edit{Kind: transfer.RemoveName, Name: "sig.z.example."}, 0, false},
		"CNAME at apex":    {transfer.Edit{Kind: transfer.Add, Name: origin, Type: "CNAME", Data: "x.example."}, 0, true},
		"beside CNAME":     {transfer.Edit{Kind: transfer.Add, Name: "www.z.example.", Type: "A", Data: "192.0.2.1"}, 0, true},
		"CNAME replaced":   {transfer.Edit{Kind: transfer.Add, Name: "www.z.example.", Type: "CNAME", Data: "y.example."}, 1, false},
		"nothing to do":    {transfer.Edit{Kind: transfer.Add, Name: "mail.z.example.", Type: "A", TTL: 3600, Data: "192.0.2.3"}, 0, false},
		"TTL of the set":   {transfer.Edit{Kind: transfer.Add, Name: "mail.z.example.", Type: "A", TTL: 60, Data: "192.0.2.99"}, 1, false},
		"nothing is there": {transfer.Edit{Kind: transfer.RemoveName, Name: "void.z.example."}, 0, false},
	} {
		got := transfer.Edits{Zone: origin, Then: []transfer.Edit{c.edit}}.Make(transfer.ViewOf(sets))
		if len(got.Changes) != c.changes || (len(got.Ignored) > 0) != c.ignored {
			t.Errorf("%s: %d changes, ignored %q", name, len(got.Changes), got.Ignored)
		}
	}
	last := transfer.Edits{Zone: origin, Then: []transfer.Edit{
		{Kind: transfer.Remove, Name: origin, Type: "NS", Data: "ns1.z.example."}, {Kind: transfer.Remove, Name: origin, Type: "NS", Data: "ns2.z.example."}}}
	if got := last.Make(transfer.ViewOf(sets)); len(got.Changes) != 1 || len(got.Ignored) != 1 || len(got.Changes[0].New.Data) != 1 {
		t.Errorf("the last NS: %+v", got)
	}
}

func TestConditionsOnDataComeLast(t *testing.T) {
	e := transfer.Edits{Zone: origin, If: []transfer.Condition{
		{Kind: transfer.SetEquals, Name: origin, Type: "A", Data: []string{"192.0.2.1"}}, {Kind: transfer.NameUsed, Name: "void.z.example."}}}
	view := transfer.ViewOf(sample(t, 1, 0))
	wantFault(t, e.Hold(view), transfer.NXDomain, 0)
	e.If = e.If[:1]
	wantFault(t, e.Hold(view), transfer.NXRRset, 0)
}

func TestAPolicySaysWhatAKeyMayChange(t *testing.T) {
	const me = rr.Name("host.z.example.")
	p := transfer.Policy{
		{Key: me, Match: transfer.Self, Types: []string{"A", "AAAA"}}, {Key: "acme.", Match: transfer.Wildcard, Name: "*.le.z.example.", Types: []string{"TXT"}},
		{Key: "zone.", Match: transfer.Subtree, Name: origin}, {Key: "sub.z.example.", Match: transfer.SelfSub},
	}
	for _, c := range []struct {
		key, name rr.Name
		typ       string
		want      bool
	}{
		{me, me, "A", true}, {me, me, "TXT", false}, {me, "x.host.z.example.", "A", false}, {me, origin, "A", false},
		{"acme.", "a.le.z.example.", "TXT", true}, {"acme.", "a.b.le.z.example.", "TXT", true}, {"acme.", "le.z.example.", "TXT", false}, {"acme.", "a.le.z.example.", "A", false},
		{"zone.", origin, "MX", true}, {"zone.", origin, "NS", false}, {"zone.", origin, "SOA", false}, {"zone.", "a.z.example.", "DS", false}, {"zone.", "a.other.", "A", false}, {"zone.", "a.z.example.", "RRSIG", false},
		{"sub.z.example.", "deep.sub.z.example.", "A", true}, {"sub.z.example.", "xsub.z.example.", "A", false}, {"", me, "A", false}, {"stranger.", me, "A", false},
	} {
		if got := p.Allows(c.key, origin, c.name, c.typ); got != c.want {
			t.Errorf("%s %s %s: %v", c.key, c.name, c.typ, got)
		}
	}
	view := transfer.ViewOf([]rr.RRset{{Name: me, Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}, {Name: me, Type: "TXT", TTL: 1, Data: []string{`"x"`}}})
	empty := func(name rr.Name) transfer.Edits {
		return transfer.Edits{Zone: origin, Then: []transfer.Edit{{Kind: transfer.RemoveName, Name: name}}}
	}
	wantFault(t, p.Permit(me, empty(me), view), transfer.Refused, 0) // the TXT is not its own
	wantFault(t, p.Permit("acme.", empty("other.z.example."), view), transfer.Refused, 0)
	if err := errors.Join(p.Permit("zone.", empty(me), view), p.Permit("acme.", empty("a.le.z.example."), view)); err != nil {
		t.Error(err)
	}
}

func FuzzEdits(f *testing.F) {
	m := new(dns.Msg)
	m.SetUpdate(string(origin))
	m.Answer = []dns.RR{bare("a.z.example.", 1, dns.ClassANY, 0)}
	m.Ns = []dns.RR{classed(f, a1, dns.ClassINET, 60), classed(f, a2, dns.ClassNONE, 0), bare("b.z.example.", dns.TypeANY, dns.ClassANY, 0)}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte{192, 12}, []byte{192, 13}, 1))
	view := transfer.ViewOf(sample(f, 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := transfer.Read(b, func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false }, moment)
		if err != nil {
			if fault := faultOf(err); fault != nil && r != nil {
				r.Answer(fault, moment)
			}
			return
		}
		r.Zone = origin
		e, err := r.Edits(50)
		if err != nil {
			return
		}
		_ = e.Hold(view)
		for _, c := range e.Make(view).Changes {
			if !c.Key().Name.Under(origin) {
				t.Fatalf("%v is outside", c)
			}
			for _, d := range c.New.Data {
				if _, err := rr.Pack(c.New.Type, d); err != nil {
					t.Fatalf("%v: %v", c, err)
				}
			}
		}
	})
}
