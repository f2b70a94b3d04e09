package ledger

import (
	"encoding/hex"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// MaxLeaf is the longest leaf in bytes: an entry bundle prefixes each with its
// length as uint16 (C2SP tlog-tiles).
const MaxLeaf = 65535

// Leaf is the content of one leaf of the tree, field by field in the order in
// which it is encoded. Commitments and hashes are 64 lower case hex digits.
// docs/log-format.md is the contract; AppendJSON and DecodeLeaf keep it.
type Leaf struct {
	ID      string
	Time    int64 // microseconds since 1970-01-01T00:00:00Z
	Action  string
	Class   string
	Door    string
	Actor   Party
	By      Party // zero: nobody
	Session string
	IP      string // commitment
	Agent   string // commitment
	Object  core.Ref
	Tenant  string
	Outcome Outcome
	Code    core.Code
	Reason  string
	Count   int   // 0, or how many alike attempts, at least 2
	First   int64 // with Count: time of the first one
	Part    int   // 0, or which leaf of an entry that needs several, from 1
	Parts   int
	Events  []Fact
	Objects []Link       // each object that Events name, once, in order of appearance
	Tenants []TenantLink // each tenant concerned, once, in ascending order of bytes
}

// Party is an Identity whose name is a commitment ("" when there was no name).
type Party struct {
	Kind string
	ID   string
	Name string
}

// Fact is an Event as a leaf holds it. Blob stands for Fields when they are too long.
type Fact struct {
	Name   string
	Object core.Ref
	Fields []Field // values of personal fields are commitments
	Blob   *BlobRef
}

// BlobRef names field differences that are kept outside the leaf (SPEC L2).
type BlobRef struct {
	Digest string // SHA-256 of the bytes, hex
	Count  int    // fields
	Size   int    // bytes
}

// Link continues the chain of one object (SPEC L4).
type Link struct {
	Object core.Ref
	Tenant string
	N      uint64 // counts the leaves of this object, from 1
	Prev   string // hash of the leaf with N-1, "" for N = 1
	State  string // as Event.State
}

// TenantLink continues the chain of one tenant.
type TenantLink struct {
	ID   string
	N    uint64
	Prev string
}

// LeafHash returns the RFC 6962 hash of leaf bytes.
func LeafHash(leaf []byte) tlog.Hash { return tlog.RecordHash(leaf) }

// AppendJSON appends the one encoding of l to b.
func (l *Leaf) AppendJSON(b []byte) []byte {
	b = append(b, `{"v":1,"id":`...)
	b = appendString(b, l.ID)
	b = append(b, `,"time":`...)
	b = appendTime(b, l.Time)
	b = append(b, `,"action":`...)
	b = appendString(b, l.Action)
	b = append(b, `,"class":`...)
	b = appendString(b, l.Class)
	b = append(b, `,"door":`...)
	b = appendString(b, l.Door)
	b = append(b, `,"actor":`...)
	b = l.Actor.append(b)
	if l.By != (Party{}) {
		b = append(b, `,"by":`...)
		b = l.By.append(b)
	}
	b = appendOptional(b, `,"session":`, l.Session)
	b = appendOptional(b, `,"ip":`, l.IP)
	b = appendOptional(b, `,"agent":`, l.Agent)
	if l.Object != (core.Ref{}) {
		b = append(b, `,"object":`...)
		b = appendRef(b, l.Object)
	}
	b = appendOptional(b, `,"tenant":`, l.Tenant)
	b = append(b, `,"outcome":`...)
	b = appendString(b, string(l.Outcome))
	b = appendOptional(b, `,"code":`, string(l.Code))
	b = appendOptional(b, `,"reason":`, l.Reason)
	if l.Count > 0 {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(l.Count), 10)
		b = append(b, `,"first":`...)
		b = appendTime(b, l.First)
	}
	if l.Part > 0 {
		b = append(b, `,"part":`...)
		b = strconv.AppendInt(b, int64(l.Part), 10)
		b = append(b, `,"parts":`...)
		b = strconv.AppendInt(b, int64(l.Parts), 10)
	}
	b = appendList(b, `,"events":`, l.Events, (*Fact).append)
	b = appendList(b, `,"objects":`, l.Objects, (*Link).append)
	b = appendList(b, `,"tenants":`, l.Tenants, (*TenantLink).append)
	return append(b, '}')
}

func (p *Party) append(b []byte) []byte {
	b = append(b, `{"kind":`...)
	b = appendString(b, p.Kind)
	b = appendOptional(b, `,"id":`, p.ID)
	b = appendOptional(b, `,"name":`, p.Name)
	return append(b, '}')
}

func (f *Fact) append(b []byte) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, f.Name)
	b = append(b, `,"object":`...)
	b = appendRef(b, f.Object)
	if f.Blob != nil {
		b = append(b, `,"blob":{"sha256":`...)
		b = appendString(b, f.Blob.Digest)
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(f.Blob.Count), 10)
		b = append(b, `,"bytes":`...)
		b = strconv.AppendInt(b, int64(f.Blob.Size), 10)
		return append(b, "}}"...)
	}
	b = appendList(b, `,"fields":`, f.Fields, (*Field).append)
	return append(b, '}')
}

func (f *Field) append(b []byte) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, f.Name)
	if f.Secret {
		return append(b, `,"secret":true}`...)
	}
	if f.Personal {
		b = append(b, `,"personal":true`...)
	}
	if f.Old != nil {
		b = append(b, `,"old":`...)
		b = appendString(b, *f.Old)
	}
	if f.New != nil {
		b = append(b, `,"new":`...)
		b = appendString(b, *f.New)
	}
	return append(b, '}')
}

func (k *Link) append(b []byte) []byte {
	b = append(b, `{"kind":`...)
	b = appendString(b, k.Object.Kind)
	b = append(b, `,"id":`...)
	b = appendString(b, k.Object.ID)
	b = appendOptional(b, `,"tenant":`, k.Tenant)
	b = append(b, `,"n":`...)
	b = strconv.AppendUint(b, k.N, 10)
	b = appendOptional(b, `,"prev":`, k.Prev)
	b = append(b, `,"state":`...)
	b = appendString(b, k.State)
	return append(b, '}')
}

func (k *TenantLink) append(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, k.ID)
	b = append(b, `,"n":`...)
	b = strconv.AppendUint(b, k.N, 10)
	b = appendOptional(b, `,"prev":`, k.Prev)
	return append(b, '}')
}

func appendRef(b []byte, r core.Ref) []byte {
	b = append(b, `{"kind":`...)
	b = appendString(b, r.Kind)
	b = appendOptional(b, `,"id":`, r.ID)
	return append(b, '}')
}

func appendOptional(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, key...), s)
}

// appendList writes nothing for an empty list.
func appendList[T any](b []byte, key string, list []T, one func(*T, []byte) []byte) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(append(b, key...), '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(&list[i], b)
	}
	return append(b, ']')
}

// appendString writes s as RFC 8785 3.2.2.2 does: the short escapes, \u00xx in
// lower case for the other controls, everything else as it is. s must be UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	if short := shortEscape(c); short != 0 {
		return append(b, '\\', short)
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// shortEscape returns the letter after the backslash, or 0 where there is none.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// appendTime writes micros as core.TimeFormat in quotes.
func appendTime(b []byte, micros int64) []byte {
	b = append(b, '"')
	b = time.UnixMicro(micros).UTC().AppendFormat(b, core.TimeFormat)
	return append(b, '"')
}

// appendFields writes the content of a blob: the array that "fields" would hold.
func appendFields(b []byte, fields []Field) []byte {
	return appendList(b, "", fields, (*Field).append)
}

func hexHash(h tlog.Hash) string { return hex.EncodeToString(h[:]) }
