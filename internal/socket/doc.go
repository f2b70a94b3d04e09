// Package socket is how the processes of one Hostward talk: verbs over HTTP with
// JSON bodies on a Unix socket. Who may open the socket may use its verbs: the
// folder's rights, and the kernel's word about the other end (SO_PEERCRED),
// decide that, and nothing the caller sends.
//
// It knows no verb: each process has its own.
package socket
