// Package apache reads the configuration of Apache 2.4 as Apache does, says which
// sites may choose by their own .htaccess which program handles a file, and writes
// the configuration under which they may not. It is pure: text in, text out. It
// never opens a file by itself and never starts or reloads anything.
//
// Sections for the same folder merge in order of appearance, deeper folders after
// shallower ones, and those of a virtual host after those of the main server. So
// one file that is read behind the others and says everything again, without the
// handlers, suffices for the main server. What a virtual host says for its own
// folders nothing outside of it can take back: there the line itself is replaced,
// with what it was kept in a comment above, and comes back byte for byte.
//
// AllowOverride FileInfo is all or nothing, so that it becomes a list of what it
// stood for (AllowOverrideList), without the directives about handlers.
//
// SPEC C4; annex points 2690:6.3, 2690:6.9.
package apache
