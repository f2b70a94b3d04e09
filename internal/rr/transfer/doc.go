// Package transfer moves zones between servers by the standard: signatures of
// messages (TSIG), NOTIFY, AXFR and IXFR both ways, dynamic update, catalog
// zones.
package transfer
