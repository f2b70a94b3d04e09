package rr

import "net/netip"

// This file is the table of kinds: what people read and fill in for each type.

const (
	inZone = "without a final dot it is in this zone"
	hexDoc = "in hex, as the program shows it"
)

func places() []Kind {
	return []Kind{
		{Type: "A", Doc: "The IPv4 address of the server that this name leads to.", Line: "192.0.2.10", Parts: []Part{
			{Name: "address", Doc: "such as 192.0.2.10", form: address("an IPv4 address such as 192.0.2.10", netip.Addr.Is4)}}},
		{Type: "AAAA", Doc: "The IPv6 address of the server that this name leads to.", Line: "2001:db8::10", Parts: []Part{
			{Name: "address", Doc: "such as 2001:db8::10", form: address("an IPv6 address such as 2001:db8::10", netip.Addr.Is6)}}},
		{Type: "CNAME", Doc: "This name is another word for a name elsewhere; nothing else may stand beside it.", Line: "www.example.net.", Parts: []Part{
			{Name: "target", Doc: "the name it stands for; " + inZone, form: host()}}},
		{Type: "MX", Doc: "Where mail for this name is delivered.", Line: "10 mail", Parts: []Part{
			{Name: "preference", Doc: "the smallest is tried first: 10", form: short()},
			{Name: "mail server", Doc: "its name; " + inZone, form: host()}}},
	}
}

func texts() []Kind {
	return []Kind{
		{Type: "TXT", Doc: "Text for programs that ask for it: SPF, DKIM, DMARC, a proof that the domain is yours.", Line: "v=spf1 mx -all", Parts: []Part{
			{Name: "text", Doc: "as you were given it; quotes and pieces of 255 octets come by themselves", form: freeText(65535, true)}}},
		{Type: "CAA", Doc: "Who may issue certificates for this name and those below it.", Line: `0 issue "letsencrypt.org"`, Parts: []Part{
			{Name: "flags", Doc: "0, or 128 where who does not know the tag must not issue", form: octet()},
			{Name: "tag", Doc: "issue for certificates, issuewild for those with *, iodef for reports", Choice: caaTags(), form: among(caaTags()...)},
			{Name: "value", Doc: "name of the certificate authority, ; for nobody, or where reports go", form: freeText(65535, false)}}},
	}
}

func caaTags() []string { return []string{"issue", "issuewild", "iodef"} }

func services() []Kind {
	svc := []Part{
		{Name: "priority", Doc: "0 makes it an alias; otherwise the smallest is tried first", form: short()},
		{Name: "target", Doc: "name of the server; a dot alone is this name itself", form: host()},
		{Name: "parameters", Doc: `what it speaks: alpn="h2,h3" port="8443"`, Optional: true, form: tail()}}
	return []Kind{
		{Type: "SRV", Doc: "Which server and port offer a service, such as telephony or chat.", Owner: "_service._proto, such as _sip._tcp", Line: "0 5 5060 sip", Parts: []Part{
			{Name: "priority", Doc: "the smallest is tried first", form: short()},
			{Name: "weight", Doc: "share among those of one priority", form: short()},
			{Name: "port", Doc: "such as 5060", form: short()},
			{Name: "target", Doc: "name of the server; " + inZone, form: host()}}},
		{Type: "HTTPS", Doc: "What browsers should know before they connect: protocols, port, another server.", Line: `1 . alpn="h2,h3"`, Parts: svc},
		{Type: "SVCB", Doc: "What programs should know before they connect to a service, as HTTPS says it for the web.", Owner: "_service, such as _dns", Line: `1 svc.example.net. port="8443"`, Parts: svc},
		{Type: "NS", Doc: "Which nameserver answers for this name.", Line: "ns1.example.net.", Parts: []Part{
			{Name: "nameserver", Doc: "its name; " + inZone, form: host()}}},
		{Type: "PTR", Doc: "The name that belongs to an address.", Line: "host.example.net.", Parts: []Part{
			{Name: "target", Doc: "the name; " + inZone, form: host()}}},
		{Type: "DNAME", Doc: "All names below this one are found below another name.", Line: "example.net.", Parts: []Part{
			{Name: "target", Doc: "the other name; " + inZone, form: host()}}},
		{Type: "URI", Doc: "The address of a service as a link.", Owner: "_service._proto, such as _ftp._tcp", Line: `10 1 "https://example.net/"`, Parts: []Part{
			{Name: "priority", Doc: "the smallest is tried first", form: short()},
			{Name: "weight", Doc: "share among those of one priority", form: short()},
			{Name: "link", Doc: "such as https://example.net/", form: freeText(65535, false)}}},
		{Type: "NAPTR", Doc: "Rules that lead from a number or name to a service, for telephony mostly.", Line: `100 50 "s" "SIP+D2U" "" _sip._udp`, Parts: []Part{
			{Name: "order", Doc: "the smallest comes first", form: short()},
			{Name: "preference", Doc: "within one order, the smallest comes first", form: short()},
			{Name: "flags", Doc: "what the outcome is: s, a, u, p", Optional: true, form: freeText(255, false)},
			{Name: "service", Doc: "such as SIP+D2U", Optional: true, form: freeText(255, false)},
			{Name: "rewriting", Doc: "a regular expression, where there is no replacement", Optional: true, form: freeText(255, false)},
			{Name: "replacement", Doc: "the next name; a dot alone for none", form: host()}}},
	}
}

func digests() []Kind {
	ds := []Part{
		{Name: "key tag", Doc: "number of the key", form: short()},
		{Name: "algorithm", Doc: "13 is ECDSA, 15 is Ed25519", form: octet()},
		{Name: "digest type", Doc: "2 is SHA-256", form: octet()},
		{Name: "digest", Doc: hexDoc, form: tail()}}
	tlsa := []Part{
		{Name: "usage", Doc: "3 is this very certificate, 2 an authority of your own", form: octet()},
		{Name: "selector", Doc: "1 is the key, 0 the whole certificate", form: octet()},
		{Name: "matching type", Doc: "1 is SHA-256, 2 is SHA-512", form: octet()},
		{Name: "digest", Doc: hexDoc, form: tail()}}
	key := []Part{
		{Name: "flags", Doc: "257 signs keys, 256 signs records", form: short()},
		{Name: "protocol", Doc: "always 3", form: octet()},
		{Name: "algorithm", Doc: "13 is ECDSA, 15 is Ed25519", form: octet()},
		{Name: "public key", Doc: "in base64", form: tail()}}
	return []Kind{
		{Type: "TLSA", Doc: "Which certificate a server shows, so that senders of mail can check it (DANE).", Owner: "_port._proto.server, such as _25._tcp.mail", Line: "3 1 1 0123…", Parts: tlsa},
		{Type: "SSHFP", Doc: "Which host key a server shows to who logs in by SSH.", Line: "4 2 0123…", Parts: []Part{
			{Name: "algorithm", Doc: "4 is Ed25519, 3 is ECDSA, 1 is RSA", form: octet()},
			{Name: "digest type", Doc: "2 is SHA-256", form: octet()},
			{Name: "digest", Doc: hexDoc, form: tail()}}},
		{Type: "DS", Doc: "Which key signs a zone below this one.", Line: "12345 13 2 0123…", Parts: ds},
		{Type: "CDS", Doc: "Which key of this zone its parent should name.", Line: "12345 13 2 0123…", Parts: ds},
		{Type: "DNSKEY", Doc: "A public key that signatures of this zone are checked with.", Line: "257 3 13 mdsswUyr…", Parts: key},
		{Type: "CDNSKEY", Doc: "Which key of this zone its parent should name, as the key itself.", Line: "257 3 13 mdsswUyr…", Parts: key},
		{Type: "SMIMEA", Doc: "Which certificate belongs to a mailbox.", Line: "3 1 1 0123…", Parts: tlsa},
		{Type: "OPENPGPKEY", Doc: "The OpenPGP key of a mailbox.", Line: "mQENBF…", Parts: []Part{{Name: "public key", Doc: "in base64", form: tail()}}},
		{Type: "CERT", Doc: "A certificate, or where there is one.", Line: "PKIX 1 8 AAAA", Parts: []Part{
			{Name: "kind", Doc: "such as PKIX or PGP", form: free()},
			{Name: "key tag", Doc: "number of the key", form: short()},
			{Name: "algorithm", Doc: "a number or its name", form: free()},
			{Name: "certificate", Doc: "in base64", form: tail()}}},
	}
}

func rare() []Kind {
	second := func(name, doc string) Part { return Part{Name: name, Doc: doc, form: upTo(1<<32 - 1)} }
	return []Kind{
		{Type: "LOC", Doc: "Where on earth this is.", Line: "48 12 30 N 16 22 20 E 171m", Parts: []Part{
			{Name: "latitude", Doc: "degrees, minutes, seconds: 48 12 30 N", form: until("N", "S")},
			{Name: "longitude", Doc: "degrees, minutes, seconds: 16 22 20 E", form: until("E", "W")},
			{Name: "altitude", Doc: "in metres: 171m", form: free()},
			{Name: "precision", Doc: "size, horizontal and vertical: 10m 100m 10m", Optional: true, form: tail()}}},
		{Type: "SOA", Doc: "What stands above all records of a zone: who is responsible, and how often others look for changes.", Line: "ns1 hostmaster 2026110100 4h 1h 2w 15m", Parts: []Part{
			{Name: "primary", Doc: "name of the first nameserver; " + inZone, form: host()},
			{Name: "mailbox", Doc: "of who is responsible, with a dot for the @", form: host()},
			second("serial", "counts on by itself"), second("refresh", "seconds until secondaries ask again"), second("retry", "seconds after a failure"),
			second("expire", "seconds until secondaries give up"), second("minimum", "seconds for which “there is none” is remembered")}},
		{Type: "HINFO", Doc: "What kind of machine this is.", Line: `"RFC8482" ""`, Parts: []Part{
			{Name: "processor", Doc: "any text", Optional: true, form: freeText(255, false)},
			{Name: "system", Doc: "any text", Optional: true, form: freeText(255, false)}}},
		{Type: "RP", Doc: "Who is responsible for this name.", Line: "ann.example.net. .", Parts: []Part{
			{Name: "mailbox", Doc: "with a dot for the @", form: host()},
			{Name: "text name", Doc: "where a TXT record says more; a dot alone for none", form: host()}}},
		{Type: "AFSDB", Doc: "Which server has the database of an AFS cell.", Line: "1 afs", Parts: []Part{
			{Name: "kind", Doc: "1 is a volume server", form: short()},
			{Name: "server", Doc: "its name; " + inZone, form: host()}}},
	}
}
