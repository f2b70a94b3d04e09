// Package pattern matches regular expressions of Python's module re, as fail2ban's
// filters are written in, against text of strangers.
//
// It exists because neither of Go's two ways will do. Package regexp knows no
// look-around, conditions and back-references, which a fifth of the filters that
// Debian ships use, and takes some 40 ns for each byte. Libraries that know them
// take exponential time on text that somebody has prepared for it.
//
// # How it matches
//
// A Machine tries alternatives in Python's order and goes back where one fails.
// Most of that is decided before it begins: for each choice the compiler knows
// which bytes may stand next, so that a branch that cannot match is never entered,
// and characters that cannot be given back never are.
//
// A match that takes more than a few steps for each byte begins to remember the
// states in which it failed (place in the expression, place in the text, and
// which groups a condition asks for were found) and enters none of them twice. From
// then on the time is at most proportional to the text times the expression, as
// with an automaton. That holds for look-around too as long as it looks a limited
// way (Pattern.Linear). What a back-reference matches depends on more than such
// a state: those expressions, and look-around and atomic groups without limit, get a number of
// steps, and a text that needs more counts as not matched (Machine.GaveUp).
//
// # What is understood
//
// All of Python 3.11's syntax for text, but for names of characters (\N{…}) and
// the flag L, which Python refuses for text too: groups with names and numbers,
// lazy, greedy and possessive repetition, atomic groups, look-ahead, look-behind of
// one width, conditions, back-references, the flags a, i, m, s, u, x, globally
// at the beginning and locally anywhere. \w, \d, \s and \b are those of Unicode
// unless a is set. Anything else is an error that says where it stands.
//
// One thing differs: a lazy repetition of a group with an upper bound, such as
// (a?|b){0,2}?, goes on where a round matched nothing; module re stops there.
//
// Text must be valid UTF-8.
//
// Sources: Python 3.11, library reference, "re: Regular expression operations".
package pattern
