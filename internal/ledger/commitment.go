package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The retention kinds of personal values (SPEC L5). A period is a kind and the
// month of the record, "address/2026-11".
const (
	KindIdentity = "identity" // names and personal fields in authentication and DNS records
	KindAddress  = "address"  // source addresses and user agents
	KindRecord   = "record"   // names and personal fields in all other records
)

// Opening is one personal value with the salt that opens its commitment. Path
// says where in the leaf: "ip", "actor.name", "events.0.fields.2.old".
type Opening struct {
	Path  string
	Salt  []byte
	Value string
}

const saltSize = 16

// commitmentDomain keeps these hashes apart from every other use of SHA-256.
const commitmentDomain = "hostward commitment v1\x00"

// Commit returns the commitment in hex: SHA-256 over the domain, the length of
// path as uint16, path, the length of salt as uint8, salt and value.
func (o Opening) Commit() string {
	var buffer [256]byte
	b := append(buffer[:0], commitmentDomain...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Path)))
	b = append(b, o.Path...)
	b = append(b, byte(len(o.Salt)))
	b = append(b, o.Salt...)
	b = append(b, o.Value...)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The parts of a record's personal values; each is one row of ledger_personal
// with the id seq*8+part.
const (
	partActor  = 0 // actor.name and personal fields of events; blind by the name
	partBy     = 1 // by.name; blind by the name
	partSource = 2 // ip, agent; blind by the address
)

// secrets is the personal side of one record.
type secrets struct {
	parts [3][]Opening
}

func (p *secrets) add(part int, path, value string) string {
	o := Opening{Path: path, Salt: make([]byte, saltSize), Value: value}
	_, _ = rand.Read(o.Salt)
	p.parts[part] = append(p.parts[part], o)
	return o.Commit()
}

// month returns the calendar month of a record in UTC.
func month(micros int64) string { return time.UnixMicro(micros).UTC().Format("2006-01") }

// periodOf names the period of one part of a record.
func periodOf(part int, class string, micros int64) string {
	kind := KindRecord
	switch {
	case part == partSource:
		kind = KindAddress
	case class == "authentication" || class == "dns":
		kind = KindIdentity
	}
	return kind + "/" + month(micros)
}

// blindText is the text by which a part is looked up, "" for none.
func blindText(openings []Opening) string {
	switch openings[0].Path {
	case "actor.name", "by.name":
		return blindName(openings[0].Value)
	case "ip":
		return blindAddress(openings[0].Value)
	}
	return ""
}

// personalAD binds a sealed part to its record.
func personalAD(id string, part int) []byte {
	return []byte("hostward personal v1\x00" + id + "\x00" + strconv.Itoa(part))
}

// packOpenings writes openings one after another: length of path, path, length
// of salt, salt, length of value, value; lengths as unsigned varints.
func packOpenings(openings []Opening) []byte {
	var b []byte
	for _, o := range openings {
		for _, s := range []string{o.Path, string(o.Salt), o.Value} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return b
}

func unpackOpenings(b []byte) ([]Opening, error) {
	var list []Opening
	for len(b) > 0 {
		var s [3]string
		for i := range s {
			n, used := binary.Uvarint(b)
			if used <= 0 || n > uint64(len(b)-used) {
				return nil, errors.New("a list of personal values is cut short")
			}
			s[i] = string(b[used : used+int(n)])
			b = b[used+int(n):]
		}
		list = append(list, Opening{Path: s[0], Salt: []byte(s[1]), Value: s[2]})
	}
	return list, nil
}

// personalRow is one row of ledger_personal.
type personalRow struct {
	id     int64
	period string
	blind  []byte
	sealed []byte
}

// seal encrypts what a record keeps apart. A period whose key is destroyed
// takes no more values: they count as erased from the start.
func (b *Book) seal(ctx context.Context, seq int64, l *Leaf, p *secrets, rows []personalRow, periods *[]personalRow) ([]personalRow, error) {
	for part, openings := range p.parts {
		if len(openings) == 0 {
			continue
		}
		row := personalRow{id: seq*8 + int64(part), period: periodOf(part, l.Class, l.Time)}
		var err error
		row.sealed, err = b.keys.SealPersonal(ctx, row.period, personalAD(l.ID, part), packOpenings(openings))
		if errors.Is(err, ErrPeriodDropped) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sealing the personal values of %s: %w", l.ID, err)
		}
		if text := blindText(openings); text != "" {
			if row.blind, err = b.keys.Blind(ctx, row.period, text); err != nil {
				return nil, fmt.Errorf("hiding a look-up key of %s: %w", l.ID, err)
			}
		}
		rows = append(rows, row)
		if !b.periods[row.period] {
			b.periods[row.period] = true
			*periods = append(*periods, row)
		}
	}
	return rows, nil
}
