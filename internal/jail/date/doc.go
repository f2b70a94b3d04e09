// Package date finds the date in a line of a log, as fail2ban does: by the forms it
// knows, or by date patterns of a filter, with what it learned from the lines
// before.
//
// A Detector prefers the form that matched last, at the place where it matched last;
// a form that matches often moves to the front. What a date does not say is taken
// from now: without a year it is the last such day that is not more than a day
// ahead, without a day it is today or yesterday.
//
// Dates at the beginning of a line in the forms of syslog and of ISO 8601 are read
// without an expression, with the same answer; a test holds the two together.
//
// The package differs from fail2ban 1.0.2 in one thing: where that takes years from
// 2000 to the end of the decade in three years from its start, this takes those
// from 2000 to 2099, so that no answer depends on when a process started.
package date
