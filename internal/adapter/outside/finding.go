package outside

import "strings"

// Severity says how much a finding matters.
type Severity string

// Error is what breaks the zone for somebody now, or soon; Warning is what weakens it;
// Notice is what somebody should know.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// ID names a kind of finding, everywhere and always.
type ID string

// The kinds of findings. The package's documentation says what each means.
const (
	NoDelegation     ID = "no-delegation"
	ParentSilent     ID = "parent-silent"
	ParentsDiffer    ID = "parents-differ"
	NSDiffers        ID = "ns-differs"
	NoAddress        ID = "no-address"
	GlueMissing      ID = "glue-missing"
	GlueWrong        ID = "glue-wrong"
	PrivateAddress   ID = "private-address"
	OneServer        ID = "one-server"
	OneNetwork       ID = "one-network"
	NoIPv6           ID = "no-ipv6"
	ServerSilent     ID = "server-silent"
	ServerLame       ID = "server-lame"
	NoTCP            ID = "no-tcp"
	NoEDNS           ID = "no-edns"
	SerialDiffers    ID = "serial-differs"
	SOAOdd           ID = "soa-odd"
	TTLOdd           ID = "ttl-odd"
	OpenRecursion    ID = "open-recursion"
	OpenTransfer     ID = "open-transfer"
	DSMissing        ID = "ds-missing"
	DSBroken         ID = "ds-broken"
	DSStray          ID = "ds-stray"
	DSUnproved       ID = "ds-unproved"
	DigestWeak       ID = "digest-weak"
	AlgorithmWeak    ID = "algorithm-weak"
	KeysDiffer       ID = "keys-differ"
	TagCollision     ID = "tag-collision"
	SignatureMissing ID = "signature-missing"
	SignatureBroken  ID = "signature-broken"
	SignatureEnds    ID = "signature-ends"
	DenialBroken     ID = "denial-broken"
	CDSOdd           ID = "cds-odd"
	CDSWaits         ID = "cds-waits"
	ResolverRefuses  ID = "resolver-refuses"
	ResolverUnproved ID = "resolver-unproved"
	NotMeasured      ID = "not-measured"
)

// Finding is one thing that is not as it should be.
type Finding struct {
	ID       ID       `json:"id"`
	Severity Severity `json:"severity"`
	Server   string   `json:"server,omitempty"` // "ns1.example. (192.0.2.1)", where it is one server's
	Measured string   `json:"measured"`
	Expected string   `json:"expected"`
	Do       string   `json:"do"`
}

// advice is what each kind has in common: how much it matters, what would be right,
// and what to do now.
func advice() map[ID]Finding {
	return map[ID]Finding{
		NoDelegation:     {Severity: Error, Expected: "NS records for the zone at its parent", Do: "Give the registrar the names of the zone's nameservers, or see whether the domain has run out."},
		ParentSilent:     {Severity: Warning, Expected: "an answer from each server of the parent", Do: "This is the parent's to mend. Look again in an hour; rollovers wait until then."},
		ParentsDiffer:    {Severity: Warning, Expected: "the same NS and DS on all servers of the parent", Do: "Usually a change is on its way: look again in an hour. If it stays, tell the registrar."},
		NSDiffers:        {Severity: Warning, Expected: "the same NS at the parent and in the zone, on every server (RFC 1034 4.2.2)", Do: "Decide which list is right; change the zone's NS here, or the parent's at the registrar."},
		NoAddress:        {Severity: Error, Expected: "an address for each name of a nameserver", Do: "Add A and AAAA records for that name, or take it out of the NS here and at the registrar."},
		GlueMissing:      {Severity: Error, Expected: "the addresses of nameservers inside of the zone at the parent (RFC 9471)", Do: "Give the registrar the addresses of this host."},
		GlueWrong:        {Severity: Error, Expected: "the addresses that the zone itself has", Do: "Have the registrar change the addresses of this host, and keep the old ones served until then."},
		PrivateAddress:   {Severity: Error, Expected: "an address that the whole internet reaches", Do: "Take the address out of the records of that nameserver; nobody outside can use it."},
		OneServer:        {Severity: Warning, Expected: "at least two nameservers (RFC 1034 4.1)", Do: "Add a secondary, here and at the registrar."},
		OneNetwork:       {Severity: Warning, Expected: "nameservers in different networks (RFC 2182 3.1)", Do: "Add a secondary at another provider, so that one cut line does not take the zone along."},
		NoIPv6:           {Severity: Notice, Expected: "at least one nameserver with IPv6 (RFC 3901 4)", Do: "Give a nameserver an AAAA record; resolvers without IPv4 cannot find the zone."},
		ServerSilent:     {Severity: Error, Expected: "an answer to a question for the SOA", Do: "See whether the server runs, and whether a firewall lets port 53 in, UDP and TCP."},
		ServerLame:       {Severity: Error, Expected: "an authoritative answer for the zone", Do: "Set the zone up on that server, or see why it has expired there, or take the server out of the NS."},
		NoTCP:            {Severity: Error, Expected: "an answer over TCP as well (RFC 9210)", Do: "Open TCP port 53 in the firewall before that server: long answers, as those of DNSSEC, need it."},
		NoEDNS:           {Severity: Warning, Expected: "an answer to a question with EDNS (RFC 6891)", Do: "Update the server, or the firewall before it that drops such questions. DNSSEC does not work without."},
		SerialDiffers:    {Severity: Warning, Expected: "the same serial on all servers", Do: "Usually a transfer is on its way: look again in some minutes. If it stays, see the transfers of the older one."},
		SOAOdd:           {Severity: Warning, Expected: "timers with which secondaries keep up and outlive a long weekend (RFC 1912 2.2, RFC 2308 5)", Do: "Change the SOA of the zone; the defaults here are good for nearly everybody."},
		TTLOdd:           {Severity: Notice, Expected: "TTLs from 1 minute to 2 days", Do: "Change the TTL, unless you know why it is so."},
		OpenRecursion:    {Severity: Error, Expected: "no recursion for strangers", Do: "Switch recursion off on that server: it will be used to attack others (RFC 5358)."},
		OpenTransfer:     {Severity: Warning, Expected: "no transfer of the zone to strangers", Do: "Allow transfers to the secondaries only, best by TSIG, unless the zone is public on purpose."},
		DSMissing:        {Severity: Notice, Expected: "a DS at the parent, since the zone is signed", Do: "Give the registrar the DS shown for the zone; until then nobody validates it."},
		DSBroken:         {Severity: Error, Expected: "a DS whose key is in the zone and signs its keys, for each algorithm of the DS", Do: "Validating resolvers refuse the zone. Have the registrar take the DS out at once, or put in the one shown for the zone."},
		DSStray:          {Severity: Warning, Expected: "no DS but those of the zone's keys", Do: "If no rollover is going on, have the registrar take this DS out."},
		DSUnproved:       {Severity: Warning, Expected: "a usable answer for the DS, signed by the parent if it is signed", Do: "This is the parent's to mend. Look again in an hour; rollovers wait until then."},
		DigestWeak:       {Severity: Warning, Expected: "a DS with SHA-256 or SHA-384 (RFC 9904)", Do: "Give the registrar the DS with SHA-256 and have the other one taken out."},
		AlgorithmWeak:    {Severity: Warning, Expected: "keys of ECDSA P-256 or Ed25519 (RFC 9904)", Do: "Choose another algorithm in the policy of the zone: the rollover does the rest."},
		KeysDiffer:       {Severity: Warning, Expected: "the same keys on all servers", Do: "Usually a transfer is on its way: look again in some minutes. Rollovers wait until then."},
		TagCollision:     {Severity: Warning, Expected: "keys with different tags", Do: "Have one of the keys replaced: some resolvers refuse zones with such keys."},
		SignatureMissing: {Severity: Error, Expected: "a signature by a key of the zone", Do: "Sign the zone anew on the primary, and see that this server gets it with its signatures."},
		SignatureBroken:  {Severity: Error, Expected: "signatures that hold now and fit the data", Do: "See that the clocks are right and that the server has the latest version; then sign the zone anew."},
		SignatureEnds:    {Severity: Warning, Expected: "signatures that hold for 7 days more", Do: "See why the zone is not signed anew, or why this server does not get it. There is time until then."},
		DenialBroken:     {Severity: Error, Expected: "a signed proof that a name does not exist (RFC 4035 3.1.3, RFC 5155 7.2)", Do: "Sign the zone anew; if only this server is wrong, see which software it runs."},
		CDSOdd:           {Severity: Warning, Expected: "CDS and CDNSKEY for the same keys, all of the zone, the same on all servers (RFC 7344 4.1)", Do: "Parents pass over such records. Have the zone signed anew, and see that all servers have one version."},
		CDSWaits:         {Severity: Notice, Expected: "the DS that CDS asks for", Do: "If the parent reads CDS it will act by itself, mostly within a day. Otherwise give the registrar the DS shown for the zone."},
		ResolverRefuses:  {Severity: Error, Expected: "an answer", Do: "The resolver finds the zone broken: begin with the other errors. If there are none, see whether the resolver itself works."},
		ResolverUnproved: {Severity: Warning, Expected: "the answer marked as authentic (AD), since there is a DS", Do: "See whether the resolver validates at all, and whether the zones above are signed."},
		NotMeasured:      {Severity: Notice, Expected: "an answer", Do: "Nothing is known to be wrong. This machine has no way there, or the check reached its bounds: look again later."},
	}
}

// found adds a finding; the same one is added once.
func (s *survey) found(id ID, server, measured string) {
	f := advice()[id]
	if strings.HasSuffix(measured, "..") { // a name brings its own
		measured = measured[:len(measured)-1]
	}
	f.ID, f.Server, f.Measured = id, server, measured
	for _, g := range s.Findings {
		if f == g {
			return
		}
	}
	s.Findings = append(s.Findings, f)
}
