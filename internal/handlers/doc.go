// Package handlers is about who decides which program handles a file of a web
// site: the server's configuration, or the site's own. Each folder below knows one
// server's files. It is pure text; it never reads or writes a file.
package handlers
