// Package rr holds the words of DNS: names, records, RRsets, zones, and the
// rules they obey. It is the one package that knows the DNS library; no type
// of that library is exported, so that another one can take its place.
//
// Everything here is in canonical form from the moment it is parsed: names in
// lower case, rdata in one presentation form, records sorted and without
// duplicates. Two zones are equal if and only if their RRsets are.
package rr
