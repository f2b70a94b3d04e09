package zone

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// model is records with placeholders: {domain} {ip4} {ip6} {mail} {value} {name}.
type model struct {
	name, doc string
	lines     []string // name, type, data
}

// models are the templates that every server has. A line whose placeholder has no
// value is left out.
func models() []model {
	return []model{
		{name: "web", doc: "a website at the domain and at www", lines: []string{
			"@ A {ip4}", "@ AAAA {ip6}", "www CNAME {domain}."}},
		{name: "mail", doc: "mail at {mail}: MX, SPF, DMARC, settings for mail programs (RFC 6186), TLS reports (RFC 8460)", lines: []string{
			"@ MX 10 {mail}.", `@ TXT "v=spf1 mx -all"`,
			`_dmarc TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"`,
			"_imaps._tcp SRV 0 1 993 {mail}.", "_submissions._tcp SRV 0 1 465 {mail}.", // RFC 8314 7.3
			`_smtp._tls TXT "v=TLSRPTv1; rua=mailto:postmaster@{domain}"`}},
		{name: "mta-sts", doc: "says that mail to the domain is encrypted (RFC 8461); its policy must be served at mta-sts.{domain} first", lines: []string{
			"mta-sts CNAME {mail}.", `_mta-sts TXT "v=STSv1; id={value}"`}},
		{name: "dkim", doc: "the public key that signs mail; name is the selector, value what the mail server shows", lines: []string{
			`{name}._domainkey TXT {value}`}},
		{name: "no-mail", doc: "the domain neither sends nor takes mail: null MX (RFC 7505), SPF, DMARC", lines: []string{
			"@ MX 0 .", `@ TXT "v=spf1 -all"`, `_dmarc TXT "v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s"`}},
		{name: "verification", doc: "proves to Google, Microsoft, GitHub and others that the domain is yours; value is the text they show", lines: []string{
			"{name} TXT {value}"}},
		{name: "microsoft-365", doc: "mail at Microsoft 365; value is the MX host it shows, such as example-org.mail.protection.outlook.com", lines: []string{
			"@ MX 0 {value}.", `@ TXT "v=spf1 include:spf.protection.outlook.com -all"`, "autodiscover CNAME autodiscover.outlook.com."}},
		{name: "google-workspace", doc: "mail at Google Workspace", lines: []string{
			"@ MX 1 smtp.google.com.", `@ TXT "v=spf1 include:_spf.google.com ~all"`}},
	}
}

// TemplateListIn asks for all of them.
type TemplateListIn struct{}

// Templates are what a server has.
type Templates struct {
	Templates []Purpose `json:"templates"`
}

// Purpose is one template as faces show it.
type Purpose struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Records []string `json:"records"` // name, type and data, with {placeholders}
}

func (z *Zones) templateList() act.Declaration {
	return act.Query[TemplateListIn, Templates]{
		Name: "zone.template.list", Doc: "List the templates for records, and what each would add.", Class: class, Roles: act.Hosted,
		Target: func(context.Context, *act.View, *TemplateListIn) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(context.Context, *act.View, TemplateListIn) (out Templates, err error) {
			for _, m := range models() {
				out.Templates = append(out.Templates, Purpose{Name: m.name, Doc: m.doc, Records: m.lines})
			}
			return out, nil
		},
	}
}

// TemplateIn says which template, and what its placeholders stand for.
type TemplateIn struct {
	Zone     string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Template string `json:"template" doc:"which records" rule:"required,enum=web|mail|mta-sts|dkim|no-mail|verification|microsoft-365|google-workspace" cli:"arg"`
	IP4      string `json:"ip4" doc:"IPv4 address of the web server" rule:"max=15"`
	IP6      string `json:"ip6" doc:"IPv6 address of the web server" rule:"max=45"`
	Mail     string `json:"mail" doc:"full name of the mail server, such as mail.example.net" rule:"max=1020"`
	Name     string `json:"name" doc:"name of the record below the zone; left out: the zone itself" rule:"max=255"`
	Value    string `json:"value" doc:"text that the other side asks for" rule:"max=4096"`
	Existing string `json:"existing" doc:"what is there already for the same purpose: keep it and leave the template's record out, or replace it; left out: keep" rule:"enum=keep|replace"`

	made []Edit
	warned
}

// templateApply adds what a purpose needs. It never doubles: a second SPF record
// breaks both (RFC 7208 4.5), and so does a second DMARC record (RFC 7489 6.6.3).
func (z *Zones) templateApply() act.Declaration {
	return changing(z, "zone.template.apply", "Add the records that a purpose needs: web, mail, no mail, a verification.",
		TemplateIn{Zone: "example.org", Template: "web", IP4: "192.0.2.10", IP6: "2001:db8::10"}, z.fill, z.told)
}

func (in TemplateIn) lines() (string, []Edit) { return in.Zone, in.made }

// fill makes lines of the template and of what the zone has.
func (z *Zones) fill(ctx context.Context, v *act.View, in *TemplateIn) error {
	r, err := live(ctx, v, in.Zone)
	if err != nil {
		return err
	}
	have, err := everything(ctx, v, r)
	if err != nil {
		return err
	}
	all := models()
	m := all[slices.IndexFunc(all, func(m model) bool { return m.name == in.Template })]
	var notes core.Faults
	lines := m.filled(in.values(r.Name), &notes)
	if len(lines) == 0 {
		return core.Faults{{Field: "template", Value: in.Template, Accepted: "values for what it needs: " + notes[0].Accepted}}.Err()
	}
	var faults core.Faults
	edits := parse(lines, r.Name, &faults)
	if err := unnumbered(faults).Err(); err != nil {
		return err
	}
	in.made = in.fit(edits, have, &notes)
	warnings, err := z.look(ctx, v, in.Zone, in.made)
	in.warn(append(notes, warnings...))
	return err
}

// unnumbered are faults about what was filled in, not about lines that nobody wrote.
func unnumbered(faults core.Faults) core.Faults {
	var out core.Faults
	for _, f := range faults {
		out.Add("", f.Value, f.Accepted)
	}
	return out
}

func (in TemplateIn) values(zone rr.Name) map[string]string {
	return map[string]string{"domain": ascii(zone), "ip4": strings.TrimSpace(in.IP4), "ip6": strings.TrimSpace(in.IP6),
		"mail": strings.TrimSuffix(strings.TrimSpace(in.Mail), "."), "value": strings.TrimSpace(in.Value),
		"name": orApex(strings.TrimSpace(in.Name))}
}

func orApex(name string) string {
	if name == "" {
		return "@"
	}
	return name
}

// filled puts values into the lines; one that lacks a value is left out.
func (m model) filled(values map[string]string, notes *core.Faults) []Edit {
	var out []Edit
	for _, l := range m.lines {
		part := strings.SplitN(l, " ", 3)
		text, lacks := replaced(part[2], values)
		if lacks != "" {
			notes.Add("", "", fmt.Sprintf("no %s record at %s: %s is empty", part[1], part[0], lacks))
			continue
		}
		name, _ := replaced(part[0], values)
		out = append(out, Edit{Action: "add", Name: name, Type: part[1], Data: text})
	}
	return out
}

// replaced fills a text in, once; lacks is the placeholder without a value. A full
// name may come with its final dot or without.
func replaced(text string, values map[string]string) (filled, lacks string) {
	var pairs []string
	for name, value := range values {
		if value == "" && strings.Contains(text, "{"+name+"}") {
			return "", name
		}
		pairs = append([]string{"{" + name + "}.", strings.TrimSuffix(value, ".") + "."}, append(pairs, "{"+name+"}", value)...)
	}
	return strings.NewReplacer(pairs...).Replace(text), ""
}

// fit leaves out what is there already, or replaces it.
func (in TemplateIn) fit(edits []edit, have map[rr.Key]rr.RRset, notes *core.Faults) []Edit {
	var out []Edit
	for _, e := range edits {
		stays, goes := e.beside(have)
		if len(goes) > 0 && in.Existing != "replace" {
			notes.Add("", "", fmt.Sprintf("%s is there already (%s) and stays; the template's %s is left out", goes[0].key(), goes[0].Data, e.Data))
			continue
		}
		out = append(out, goes...)
		if !stays {
			out = append(out, e.Edit)
		}
	}
	return out
}

// key is name and type of a line that names an RRset in full.
func (e Edit) key() string { return e.Name + " " + e.Type }

// beside finds the record itself, which stays, and those that serve the same
// purpose, as lines that remove them.
func (e edit) beside(have map[rr.Key]rr.RRset) (same bool, goes []Edit) {
	for k, s := range have {
		if k.Name != e.key.Name || k.Type != e.key.Type && k.Type != "CNAME" && e.key.Type != "CNAME" {
			continue
		}
		for _, d := range s.Data {
			switch {
			case k.Type == e.key.Type && d == e.data:
				same = true
			case k.Type != "TXT" || e.key.Type == "CNAME" || purpose(d) != "" && purpose(d) == purpose(e.data):
				goes = append(goes, Edit{Action: "remove", Name: string(k.Name), Type: k.Type, Data: d})
			}
		}
	}
	slices.SortFunc(goes, func(a, b Edit) int { return strings.Compare(a.key()+a.Data, b.key()+b.Data) })
	return same, goes
}

// purpose is the tag of a TXT record of which a name may have one only: v=spf1,
// v=DMARC1, v=STSv1, v=TLSRPTv1, v=DKIM1.
func purpose(data string) string {
	tag, _, _ := strings.Cut(strings.Trim(data, `"`), " ")
	tag = strings.ToLower(strings.TrimRight(tag, `;"`))
	if !strings.HasPrefix(tag, "v=") {
		return ""
	}
	return tag
}
