package ini

import (
	"bytes"
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"hostward/internal/core"
)

// Field is one key of Policy: its place in the file, and how it is read and shown.
type Field struct {
	Section, Key string
	Accepted     string              // what may stand there, as half a sentence
	Root         bool                // set in the file only: in the panel it would be a way around a door
	Show         func(Policy) string // the value in force, as text for people and for comparing

	set  func(*Policy, Entry) (accepted string) // "" when the value was taken
	text func(Policy) (string, bool)            // what the file would say; false: the key is left out
}

const acceptedSwitch = "on, yes, true or 1; off, no, false, none or 0"

// Fields lists the keys that panel.ini may have, in the order of the manual.
func Fields() []Field {
	fields := []Field{
		toggle("actionLog", "nis2compliant", func(p *Policy) *bool { return &p.NIS2 }),
		toggle("actionLog", "api.includeImmutable", func(p *Policy) *bool { return &p.IncludeReads }),
		toggle("actionLog", "syslog", func(p *Policy) *bool { return &p.Syslog }),
		facilityField(),
		toggle("api", "enabled", func(p *Policy) *bool { return &p.APIEnabled }),
		allowedField(),
		dnsUpdateField(),
		urlField(),
		networks("proxy", "trusted", func(p *Policy) *[]core.Network { return &p.Proxies }),
		word("proxy", "header", ProxyHeaders, func(p *Policy) *string { return &p.ProxyHeader }),
		line("mail", "server", "a host, or host:port", isHost, func(p *Policy) *string { return &p.Mail.Server }),
		word("mail", "tls", MailTLS, func(p *Policy) *string { return &p.Mail.TLS }),
		line("mail", "from", "an e-mail address", isAddress, func(p *Policy) *string { return &p.Mail.From }),
		line("mail", "user", "a log-in name", isLine, func(p *Policy) *string { return &p.Mail.User }),
		line("mail", "passwordFile", "the absolute path of a file", filepath.IsAbs, func(p *Policy) *string { return &p.Mail.PasswordFile }),
		number("dns", "rateLimit", 0, 4000, func(p *Policy) *int { return &p.DNS.Rate }),
		number("dns", "rateLimitSlip", 1, 10, func(p *Policy) *int { return &p.DNS.Slip }),
		networks("dns", "rateLimitExempt", func(p *Policy) *[]core.Network { return &p.DNS.Exempt }),
		line("dns", "catalog", "a domain name such as catalog.example.net", isHost, func(p *Policy) *string { return &p.DNS.Catalog }),
		line("dns", "nsid", "up to 200 letters", upTo200, func(p *Policy) *string { return &p.DNS.NSID }),
		line("dns", "version", "up to 200 letters", upTo200, func(p *Policy) *string { return &p.DNS.Version }),
	}
	for i := range fields {
		f := &fields[i]
		f.Root = f.Key == "nis2compliant" || f.Section != "actionLog" && f.Section != "api"
	}
	return fields
}

// Name returns "[section] key".
func (f Field) Name() string { return "[" + f.Section + "] " + f.Key }

func toggle(section, key string, at func(*Policy) *bool) Field {
	show := func(p Policy) string { return string(switchOf(*at(&p))) }
	return Field{
		Section: section, Key: key, Accepted: acceptedSwitch, Show: show,
		set: func(p *Policy, e Entry) string {
			on, ok := e.Bool()
			if !ok {
				return acceptedSwitch
			}
			*at(p) = on
			return ""
		},
		text: func(p Policy) (string, bool) { return show(p), true },
	}
}

func facilityField() Field {
	const accepted = "local0 to local7, auth, authpriv, cron, daemon, ftp, kern, lpr, mail, news, syslog, user or uucp"
	names := strings.Fields("auth authpriv cron daemon ftp kern lpr mail news syslog user uucp " +
		"local0 local1 local2 local3 local4 local5 local6 local7")
	return Field{
		Section: "actionLog", Key: "syslogFacility", Accepted: accepted,
		Show: func(p Policy) string { return p.SyslogFacility },
		set: func(p *Policy, e Entry) string {
			name := strings.ToLower(e.Text)
			if !slices.Contains(names, name) {
				return accepted
			}
			p.SyslogFacility = name
			return ""
		},
		text: func(p Policy) (string, bool) { return p.SyslogFacility, true },
	}
}

func allowedField() Field {
	return Field{
		Section: "api", Key: "allowedIPs",
		Accepted: "addresses and networks, separated by commas or blanks; empty for nobody; no such line for everyone",
		Show:     func(p Policy) string { return p.APIAllowed.String() },
		set: func(p *Policy, e Entry) string {
			list, accepted := parseNetworks(e.Text)
			p.APIAllowed = Allowed{Networks: list}
			return accepted
		},
		text: func(p Policy) (string, bool) { return p.APIAllowed.list(), !p.APIAllowed.Everyone },
	}
}

// networks is a key that takes addresses and networks.
func networks(section, key string, at func(*Policy) *[]core.Network) Field {
	return Field{
		Section: section, Key: key, Accepted: "addresses and networks, separated by commas or blanks",
		Show: func(p Policy) string { return listed(*at(&p)) },
		set: func(p *Policy, e Entry) (accepted string) {
			*at(p), accepted = parseNetworks(e.Text)
			return accepted
		},
		text: func(p Policy) (string, bool) { return listed(*at(&p)), *at(&p) != nil },
	}
}

// number is a key that takes a whole number.
func number(section, key string, least, most int, at func(*Policy) *int) Field {
	accepted := fmt.Sprintf("a number from %d to %d", least, most)
	return Field{
		Section: section, Key: key, Accepted: accepted, Show: func(p Policy) string { return strconv.Itoa(*at(&p)) },
		set: func(p *Policy, e Entry) string {
			n, err := strconv.Atoi(e.Text)
			if err != nil || n < least || n > most {
				return accepted
			}
			*at(p) = n
			return ""
		},
		text: func(p Policy) (string, bool) { return strconv.Itoa(*at(&p)), true },
	}
}

func upTo200(text string) bool { return len(text) <= 200 }

func urlField() Field {
	const accepted = "https:// and a host name, with a port if it is not 443, and nothing behind it"
	return line("panel", "url", accepted, func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && u.Scheme == "https" && isHost(u.Host) && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
	}, func(p *Policy) *string { return &p.URL })
}

// word is a key that takes one of some words; the first is the default.
func word(section, key string, words []string, at func(*Policy) *string) Field {
	return Field{
		Section: section, Key: key, Accepted: strings.Join(words, ", "), Show: func(p Policy) string { return *at(&p) },
		set: func(p *Policy, e Entry) string {
			i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, e.Text) })
			if i < 0 {
				return "one of " + strings.Join(words, ", ")
			}
			*at(p) = words[i]
			return ""
		},
		text: func(p Policy) (string, bool) { return *at(&p), true },
	}
}

// line is a key that takes text of one form. Empty stands for absent.
func line(section, key, accepted string, ok func(string) bool, at func(*Policy) *string) Field {
	return Field{
		Section: section, Key: key, Accepted: accepted, Show: func(p Policy) string { return *at(&p) },
		set: func(p *Policy, e Entry) string {
			if e.Text != "" && (!isLine(e.Text) || !ok(e.Text)) {
				return accepted
			}
			*at(p) = e.Text
			return ""
		},
		text: func(p Policy) (string, bool) { return *at(&p), *at(&p) != "" },
	}
}

func isLine(text string) bool {
	return len(text) <= 255 && !strings.ContainsFunc(text, unicode.IsControl)
}

var hostForm = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$`)

func isHost(text string) bool { return hostForm.MatchString(text) }

func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

func dnsUpdateField() Field {
	return Field{
		Section: "api", Key: "dnsUpdate", Accepted: acceptedSwitch,
		Show: func(p Policy) string {
			if p.DNSUpdate == Unset {
				return "as [api] enabled"
			}
			return string(p.DNSUpdate)
		},
		set: func(p *Policy, e Entry) string {
			on, ok := e.Bool()
			if !ok {
				return acceptedSwitch
			}
			p.DNSUpdate = switchOf(on)
			return ""
		},
		text: func(p Policy) (string, bool) { return string(p.DNSUpdate), p.DNSUpdate != Unset },
	}
}

func switchOf(on bool) Switch {
	if on {
		return On
	}
	return Off
}

// Note is something about the file that is worth a word and stops nothing.
type Note struct {
	Line int
	Text string
}

// Decode reads the policy of a file. Wrong values are faults, and so are keys
// of ours in other letters ([API], AllowedIPs), since ignoring them would leave
// a door open that somebody meant to close. Other unknown keys are notes.
func Decode(f *File) (Policy, []Note, core.Faults) {
	d := decoder{policy: Default(), fields: Fields()}
	for i, e := range f.entries {
		d.entry(f, i, e)
	}
	server := slices.IndexFunc(f.entries, func(e Entry) bool { return strings.EqualFold(e.Section+"."+e.Key, "mail.server") })
	if p := d.policy; p.Mail.Server != "" && !p.Mails() {
		d.note(f.entries[server].Line, "no mail is sent until [mail] from and [panel] url stand in the file too")
	}
	return d.policy, d.notes, d.faults
}

type decoder struct {
	policy Policy
	fields []Field
	notes  []Note
	faults core.Faults
}

func (d *decoder) entry(f *File, i int, e Entry) {
	at := slices.IndexFunc(d.fields, func(k Field) bool {
		return strings.EqualFold(k.Section, e.Section) && strings.EqualFold(k.Key, e.Key)
	})
	if at < 0 {
		d.note(e.Line, "the key [%s] %s is unknown; it is kept and does nothing", e.Section, e.Key)
		return
	}
	field := d.fields[at]
	if accepted := d.misuse(field, e); accepted != "" {
		d.fault(e, accepted)
		return
	}
	if later := laterLine(f.entries[i+1:], e); later > 0 {
		d.note(e.Line, "%s stands again on line %d, which holds", field.Name(), later)
	}
	// A value that a later line replaces is still read: it must be right.
	if accepted := field.set(&d.policy, e); accepted != "" {
		d.fault(e, accepted)
	}
	if field.Key == "allowedIPs" {
		d.networkNotes(e.Line)
	}
}

// misuse says how the key is to be written, when it is written otherwise.
func (d *decoder) misuse(field Field, e Entry) string {
	switch {
	case e.Section != field.Section || e.Key != field.Key:
		return "written " + field.Name() + ", in just these letters"
	case e.Array:
		return "one value, without []: " + field.Accepted
	case !e.Quoted && strings.Contains(e.Text, "#"):
		return field.Accepted + `; a comment begins with ";"`
	}
	return ""
}

// networkNotes points at addresses that look like networks.
func (d *decoder) networkNotes(line int) {
	for _, n := range d.policy.APIAllowed.Networks {
		if addr := n.First; addr == n.Last && addr.Is4() && addr.As4()[3] == 0 {
			d.note(line, "%s is one address; its network is written %s/24", addr, addr)
		}
	}
}

func (d *decoder) note(line int, format string, args ...any) {
	d.notes = append(d.notes, Note{Line: line, Text: fmt.Sprintf(format, args...)})
}

func (d *decoder) fault(e Entry, accepted string) {
	d.faults.Add(fmt.Sprintf("line %d, column %d, [%s] %s", e.Line, e.Column, e.Section, e.Key), e.Text, accepted)
}

func laterLine(rest []Entry, e Entry) int {
	for _, l := range rest {
		if l.Section == e.Section && l.Key == e.Key {
			return l.Line
		}
	}
	return 0
}

// Read parses and decodes the bytes of a file.
func Read(data []byte) (Policy, []Note, core.Faults) {
	f, faults := Parse(data)
	if len(faults) > 0 {
		return Policy{}, nil, faults
	}
	return Decode(f)
}

// Text returns the policy as a file of its own, with every key that is set.
// Read gives the same policy back: this is how adopted values are kept for
// comparing at the next start.
func (p Policy) Text() []byte {
	var b bytes.Buffer
	section := ""
	for _, f := range Fields() {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		if text, set := f.text(p); set {
			value, _ := encode(text) // never fails: the texts are words, numbers and addresses
			fmt.Fprintf(&b, "%s = %s\n", f.Key, value)
		}
	}
	return b.Bytes()
}

// Change is one key whose value differs between two policies.
type Change struct{ Key, Old, New string }

// Diff returns what differs, in the order of Fields.
func Diff(old, new Policy) []Change {
	var out []Change
	for _, f := range Fields() {
		if a, b := f.Show(old), f.Show(new); a != b {
			out = append(out, Change{Key: f.Name(), Old: a, New: b})
		}
	}
	return out
}
