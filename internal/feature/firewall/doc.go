// Package firewall decides what reaches this server, and what leaves it (SPEC C1): a
// catalogue of services that are open to all, to networks or to nobody, rules of the
// operator's own, and named sets of addresses.
//
// All of it becomes one nftables table, inet hostward, which is replaced whole in one
// transaction. What is not declared is dropped, in IPv4 and IPv6. Loopback, replies,
// what ICMP (RFC 792), ICMPv6 (RFC 4890), DHCP, IGMP and MLD need to work always passes.
// Output passes unless it is closed too.
//
// Tables of others (Docker, iptables, Fail2Ban) are never touched. They are looked at,
// and ports that they forward past us are shown, and closed on wish.
//
// The package never runs anything: the agent loads what Control plans. Changing a row
// changes nothing on the machine until it is applied.
//
// Annex points: 2690:6.7.2 (networks are protected), 2690:13.3 (access is controlled).
package firewall
