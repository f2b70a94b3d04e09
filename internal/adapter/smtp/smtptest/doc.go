// Package smtptest runs a real Postfix for tests: its own configuration, queue and
// mailboxes in one folder, three ports on the loopback address, and nothing that
// survives the test. It needs root and the package postfix.
package smtptest
