// Package watch is Hostward's ban engine: it follows logs, counts failures by
// address, and has the kernel keep out whoever fails too often (SPEC C2; points
// 6.7 and 11.6 of the annex to Implementing Regulation (EU) 2024/2690).
//
// It reads the configuration language of fail2ban by package jail. What is read,
// counted and banned survives its end: files go on where they were left, also if
// they were rotated meanwhile. The kernel's sets are compared with the book again
// and again and mended. Memory is bounded, whatever strangers send.
//
// It never needs to be root: it asks a host.Kernel for bans. It never bans the
// machine's own addresses, its gateways and nameservers, trusted networks, nor an
// address that an administrator works from, and says so in an event instead. It
// never runs a command that a configuration names (action, ignorecommand).
package watch
