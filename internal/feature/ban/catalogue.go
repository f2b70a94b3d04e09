package ban

import (
	"slices"
	"strings"
	"time"
)

// The engines.
const (
	Watch    = "watch"    // our own
	Fail2Ban = "fail2ban" // Debian's
	None     = "none"
)

// The states of a jail.
const (
	On   = "on"
	Off  = "off"
	Auto = "auto" // on where its program and log are
)

// model is one of the jails we know, with what it goes by until somebody says
// otherwise.
type model struct {
	name    string   // in the panel
	section string   // in Debian's configuration of Fail2Ban
	filter  string   // of Debian's, or ours
	about   string   // for people
	aliases []string // besides name, section and Plesk's name
	program string   // that it protects; "": none needs to be there
	logs    []string // patterns of paths; the first that matches is read
	journal string   // what is read where there is no log
	state   string
	limits
}

type limits struct {
	retry int
	find  time.Duration
	ban   time.Duration
}

// Manual is the jail of bans by hand.
const Manual = "manual"

// recidive bans whom other jails ban again and again: it reads what the engine says.
const recidive = "recidive"

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// models are the jails, in the order in which they are shown. The panel's has the path
// of its log from the house.
func models(panelLog string) []model {
	usual := limits{5, 10 * time.Minute, time.Hour}
	mail := []string{"/var/log/mail.log"}
	return []model{
		{name: "ssh", section: "sshd", filter: "sshd", about: "log-ins over SSH", program: "/usr/sbin/sshd",
			logs: []string{"/var/log/auth.log", "/var/log/secure"}, journal: "_SYSTEMD_UNIT=ssh.service + _COMM=sshd", state: On, limits: usual},
		{name: "panel", section: "panel", filter: panelFilter, about: "log-ins to this panel", aliases: []string{"plesk-panel", "hostward"},
			logs: []string{panelLog}, state: On, limits: limits{10, 10 * time.Minute, time.Hour}},
		{name: recidive, section: "recidive", filter: "recidive", about: "who was banned again and again", logs: []string{ownLog}, state: Auto, limits: limits{5, day, week}},
		{name: "smtp", section: "postfix", filter: "postfix[mode=more]", about: "mail that Postfix takes", aliases: []string{"mail", "plesk-postfix"}, program: "/usr/sbin/postfix",
			logs: mail, journal: "_SYSTEMD_UNIT=postfix@-.service", state: Auto, limits: usual},
		{name: "imap", section: "dovecot", filter: "dovecot", about: "mailboxes in Dovecot", aliases: []string{"pop3", "plesk-dovecot"}, program: "/usr/sbin/dovecot",
			logs: mail, journal: "_SYSTEMD_UNIT=dovecot.service", state: Auto, limits: usual},
		{name: "ftp", section: "proftpd", filter: "proftpd", about: "ProFTPD", aliases: []string{"plesk-proftpd"}, program: "/usr/sbin/proftpd",
			logs: []string{"/var/log/proftpd/proftpd.log"}, state: Auto, limits: usual},
		{name: "vsftpd", section: "vsftpd", filter: "vsftpd", about: "vsftpd", program: "/usr/sbin/vsftpd", logs: []string{"/var/log/vsftpd.log"}, state: Auto, limits: usual},
		{name: "web", section: "apache-auth", filter: "apache-auth", about: "passwords of sites in Apache", aliases: []string{"apache", "plesk-apache"}, program: "/usr/sbin/apache2",
			logs: []string{"/var/log/apache2/*error.log"}, state: Auto, limits: usual},
		{name: "bots", section: "apache-badbots", filter: "apache-badbots", about: "harvesters of addresses in Apache", aliases: []string{"badbots", "plesk-apache-badbot"}, program: "/usr/sbin/apache2",
			logs: []string{"/var/log/apache2/*access.log"}, state: Auto, limits: limits{1, 10 * time.Minute, 2 * day}},
		{name: "nginx", section: "nginx-http-auth", filter: "nginx-http-auth", about: "passwords of sites in nginx", program: "/usr/sbin/nginx",
			logs: []string{"/var/log/nginx/*error.log"}, state: Auto, limits: usual},
		// A question over UDP names whom it likes as its sender: who bans by it lets
		// strangers choose who is kept out.
		{name: "dns", section: "named-refused", filter: "named-refused", about: "questions that BIND refuses; a sender over UDP can be forged", aliases: []string{"named"}, program: "/usr/sbin/named",
			logs: []string{"/var/log/named/security.log"}, state: Off, limits: usual},
	}
}

// canonical returns the panel's name of a jail. What is none of ours stays as it is.
func canonical(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, m := range models("") {
		if name == m.name || name == m.section || slices.Contains(m.aliases, name) {
			return m.name
		}
	}
	return name
}

// names are those of the jails that can be set.
func names() (out []string) {
	for _, m := range models("") {
		out = append(out, m.name)
	}
	return out
}
