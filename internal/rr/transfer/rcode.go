package transfer

import (
	"fmt"
	"strconv"
)

// Rcode is the response code of a message (RFC 1035 4.1.1, RFC 2136 2.2) or
// of a TSIG record (RFC 8945 3).
type Rcode uint16

// The codes this package answers with or reads.
const (
	Success  Rcode = 0
	FormErr  Rcode = 1  // the message is not well formed
	ServFail Rcode = 2  // our fault
	NXDomain Rcode = 3  // a name that should exist does not
	NotImp   Rcode = 4  // not supported
	Refused  Rcode = 5  // not allowed
	YXDomain Rcode = 6  // a name that should not exist does
	YXRRset  Rcode = 7  // an RRset that should not exist does
	NXRRset  Rcode = 8  // an RRset that should exist does not
	NotAuth  Rcode = 9  // not authoritative; or the signature is not accepted
	NotZone  Rcode = 10 // a name is not within the zone
	BadSig   Rcode = 16 // the MAC is wrong
	BadKey   Rcode = 17 // the key is not known
	BadTime  Rcode = 18 // the clocks differ by more than the fudge
	BadTrunc Rcode = 22 // the MAC is cut shorter than is accepted
)

// String returns the mnemonic.
func (r Rcode) String() string {
	switch r {
	case BadSig:
		return "BADSIG"
	case BadKey:
		return "BADKEY"
	case BadTime:
		return "BADTIME"
	case BadTrunc:
		return "BADTRUNC"
	}
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}
	if int(r) < len(names) {
		return names[r]
	}
	return "RCODE" + strconv.Itoa(int(r))
}

// EDE is an extended error, which says to people what an Rcode means
// (RFC 8914 4). It is sent only to who speaks EDNS.
type EDE uint16

// The extended errors this package gives. None has the number noEDE.
const (
	Other            EDE = 0
	NotReady         EDE = 14
	Prohibited       EDE = 18
	NotAuthoritative EDE = 20
	NotSupported     EDE = 21
	InvalidData      EDE = 24
)

// Fault is a message that is not served: what the answer says, and why.
type Fault struct {
	Rcode Rcode
	TSIG  Rcode // the error of the TSIG record, 0: none
	EDE   EDE
	Why   string // for the other side's people and ours; no secret is in it
}

// Error returns the codes and the reason.
func (f *Fault) Error() string {
	code := f.Rcode.String()
	if f.TSIG != 0 {
		code = f.TSIG.String()
	}
	return f.Why + " (" + code + ")"
}

func malformed(format string, args ...any) *Fault {
	return &Fault{Rcode: FormErr, EDE: InvalidData, Why: fmt.Sprintf(format, args...)}
}
