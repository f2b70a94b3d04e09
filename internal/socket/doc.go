// Package socket joins two processes of Hostward on one machine: verbs as HTTP over
// a Unix socket with JSON bodies. An error keeps its code and its sentence on the
// way. Who may open the socket may call: its folder's rights, and the kernel's word
// about the other end, decide that elsewhere.
package socket
