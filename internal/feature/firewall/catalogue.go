package firewall

// Entry is a service of the catalogue.
type Entry struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	Ports []string `json:"ports"` // "80/tcp", "49152-49407/tcp"
	Out   bool     `json:"out"`   // it is what this server asks of others; matters when output is closed
	Risk  string   `json:"risk,omitempty"`
	open  bool     // before anybody decided
}

// Catalogue is every service with its ports, in the order of the page (SPEC C1).
func Catalogue() []Entry {
	return []Entry{
		{Name: "panel", Title: "Panel", Ports: []string{"8443/tcp"}, open: true},
		{Name: "panel-http", Title: "Panel without TLS", Ports: []string{"8880/tcp"}, Risk: "passwords would travel in the clear"},
		{Name: "installer", Title: "Installer and updates", Ports: []string{"8447/tcp"}},
		{Name: "ssh", Title: "SSH", Ports: []string{"22/tcp"}, open: true},
		{Name: "web", Title: "Web", Ports: []string{"80/tcp", "443/tcp"}},
		{Name: "quic", Title: "Web over QUIC", Ports: []string{"443/udp"}},
		{Name: "ftp", Title: "FTP", Ports: []string{"21/tcp"}},
		{Name: "smtp", Title: "Mail in and submission", Ports: []string{"25/tcp", "465/tcp", "587/tcp"}},
		{Name: "pop3", Title: "POP3", Ports: []string{"110/tcp", "995/tcp"}},
		{Name: "imap", Title: "IMAP", Ports: []string{"143/tcp", "993/tcp"}},
		{Name: "mail-password", Title: "Mail password change", Ports: []string{"106/tcp"}},
		{Name: "dns", Title: "DNS", Ports: []string{"53/udp", "53/tcp"}},
		{Name: "dns-tls", Title: "DNS over TLS", Ports: []string{"853/tcp"}},
		{Name: "vpn", Title: "VPN", Ports: []string{"1194/udp"}},
		{Name: "mysql", Title: "MySQL and MariaDB", Ports: []string{"3306/tcp"}, Risk: "databases belong to the programs of this server"},
		{Name: "mssql", Title: "Microsoft SQL Server", Ports: []string{"1433/tcp"}, Risk: "databases belong to the programs of this server"},
		{Name: "postgresql", Title: "PostgreSQL", Ports: []string{"5432/tcp"}, Risk: "databases belong to the programs of this server"},
		{Name: "samba", Title: "Samba", Ports: []string{"137/udp", "138/udp", "139/tcp", "445/tcp"}, Risk: "file sharing is a way in for worms"},
		{Name: "licensing", Title: "Licensing, ACME and updates over HTTPS", Ports: []string{"443/tcp"}, Out: true, open: true},
		{Name: "packages", Title: "Packages over HTTP", Ports: []string{"80/tcp"}, Out: true, open: true},
		{Name: "resolve", Title: "Asking nameservers", Ports: []string{"53/udp", "53/tcp", "853/tcp"}, Out: true, open: true},
		{Name: "time", Title: "Asking for the time", Ports: []string{"123/udp", "4460/tcp"}, Out: true, open: true},
		{Name: "deliver", Title: "Delivering mail", Ports: []string{"25/tcp"}, Out: true, open: true},
	}
}

func entry(name string) (Entry, bool) {
	for _, e := range Catalogue() {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}
