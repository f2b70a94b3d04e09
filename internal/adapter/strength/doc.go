// Package strength says how guessable a password is, why, and what would help
// (SPEC A3). It is the way of zxcvbn (Wheeler, USENIX Security 2016, sections 3
// and 4): a password is cut into the pieces that a guesser tries first, each
// with the guesses it takes, and the cheapest cut counts. No rule of composition
// is among them: twelve characters that follow no pattern are as good as five
// words.
//
// # What is a piece
//
//	word, password         of the lists below, names among them; also in capitals,
//	                       backwards, with digits and signs for letters, with
//	                       blanks in between
//	the user's own words   what the caller names: log-in name, mail address, host
//	copy                   what comes again, or again one step further in the
//	                       alphabet or on a keyboard: "aaaa", "abcabc", "abcd",
//	                       "qwerty" and "1qaz2wsx" are all one thing
//	date, year             with and without separators
//	any other character    10 guesses; a sign 20; one of the many of Chinese,
//	                       Korean or emoji 32
//
// Pieces multiply, and each piece after the first doubles, since where one ends
// must be guessed too. The paper asks more of the guesser: for n pieces it multiplies
// by n! and adds 10000^(n-1). "Summer2026!" falls long before that, so it is left out.
//
// # What it takes from the library
//
// The lists of words and names come from github.com/ccojocar/zxcvbn-go, package
// data, which holds them compressed and does nothing until asked. They are
// unpacked at the first estimate. The matchers of that library (1.0.4, November
// 2026) are not used: importing them costs every process of the program 38 ms and
// 10 MB at its start; 72 signs that stand for letters take 1.3 s; "qweqweqwe…" and
// the Russian "password" twice are very strong to it; its dates end one character
// too late and in 2025; its positions are bytes in one place and characters in
// another.
//
// # What it never does
//
// It keeps no password, and says no part of one: Why and Advice are sentences of
// a closed list. It knows no breached passwords beyond the 7,000 of its list;
// that is the blocklist's work.
package strength
