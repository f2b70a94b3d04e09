// Package fail2ban talks to the fail2ban-server that Debian ships, as a host.Guard:
// jails, bans, banning, lifting, and what happened since.
//
// It speaks the server's own protocol over its Unix socket, which belongs to root: a
// pickled list of words and an end mark one way, a pickled answer and the mark the
// other. Of pickle it reads the few codes that answers consist of; nothing in an
// answer can make it do anything, and what it does not know is an error.
//
// The socket knows who is banned now. The lines that led to a ban, how often somebody
// was banned, and bans that were over before anybody looked are in the server's
// database alone, which is read and never written. What happened is put together from
// both, numbered, and kept in a journal of our own: the database numbers nothing for
// good, and forgets a ban once it is lifted.
//
// A ban by hand has its own jail, Manual, whose bans have no end as far as the server
// knows: it would give all bans of a jail the end of the newest. This package keeps
// when they end, and lifts them at the first look after that.
//
// It never writes the server's configuration: feature ban plans it, and the agent's
// hands write it.
//
// Read for it: fail2ban 1.0.2, asyncserver.py, transmitter.py, actions.py, database.py.
package fail2ban
