// Package jail reads the configuration of fail2ban as it is, and finds in lines of
// logs what its filters look for.
//
// [Load] reads a folder that is laid out like /etc/fail2ban: jail.conf with its
// .local and .d files, filter.d, the files they include. The language is the one of
// fail2ban 1.0.2: interpolation, tags, options of filters, date patterns, and the
// expressions of Python's module re (package pattern). A jail or a filter that is
// broken becomes a [Fault] and takes no other with it.
//
// A [Filter] then says of each line whether it is a failure, of whom and when
// ([Filter.Match]). It cuts the date out before the expressions see the line,
// gathers lines that belong to one connection, and joins lines where a filter
// wants several at once, all as fail2ban does. How it compares with fail2ban, filter
// by filter, is in docs/bans.md.
//
// It never opens a log, never resolves a name, never counts and never bans: that is
// the work of package watch. It never runs longer on a line than in proportion to
// the line, whoever wrote the line and whoever wrote the filter.
//
// Annex 11.7.2 b, 11.6.2 d and 3.2.3 of (EU) 2024/2690 are served with it.
package jail
