// Package ban keeps out who fails too often, and says who is kept out and why (SPEC C2).
//
// What the server goes by is one object, "banpolicy:server": which engine, which jails
// with which limits, whom to trust. The control "bans" makes an engine's configuration
// of it: for Debian's Fail2Ban files below /etc/fail2ban and a reload, for our own
// engine (process watch) one below /etc/hostward-watch, which it notices by itself. The
// jails are a closed list of ours, with names for people; Fail2Ban's own jails of other
// names stay as they are, and are shown.
//
// A ban by hand, and lifting one, are orders, objects "ban:b_…": the house hands them
// to the engine as soon as that answers, and notes how it went. What engines did, the
// house takes from them in order and notes in batches, one object for each day,
// "ban:2026-11-27": a stranger who is banned a thousand times leaves a few records.
// Rows of a day form a chain from a random start, so that a digest in the log tells
// that none was altered, and does not tell an address once the day is forgotten, after
// 90 days.
//
// It never talks to an engine but through the port Guard, never touches the machine but
// by the steps of its control, and never keeps out, without saying so first, the address
// that the caller or anybody with a live session comes from.
//
// Annex points: 2690:3.2.3 (what security tools report), 2690:6.7 (network security),
// 2690:11.6 (authentication).
package ban
