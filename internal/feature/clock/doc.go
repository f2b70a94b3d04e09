// Package clock keeps the server's clock right and proves that it was (SPEC C3):
// which sources of time chrony follows, how many must answer, when it may step, and
// what it measured.
//
// The control writes two files of its own, SourcesPath and SettingsPath, which
// Debian's chrony.conf includes. Sources are reread without a restart; the settings
// count after one, and whether chronyd has read them is told by which is newer, the
// file or the process. In force means that chronyd has the sources, not that a file
// names them. Lines of other files are shown, with file and number, and never
// touched: a source that chrony.conf names stays one until somebody takes it out.
//
// NTS (RFC 8915) counts as proved when chronyd says that it holds keys and cookies
// of the source; a source that is asked for NTS and has none answers nothing that
// is believed. Offsets are those of chronyd's own estimate (RFC 5905).
//
// A jump is found by holding the clock against the time since boot, which nobody
// can set: between two looks both advance by the same, unless the clock was stepped.
// Slewing moves both.
//
// Kinds of object: "clock" (one, with what should be and the alarms that stand) and
// "clockday" (what was measured on one day, UTC). Of the last week each ten minutes
// are kept, of older days the hours, for 400 days.
//
// It never sets the clock or the time zone itself, and never asks a source: chronyd
// does. Ports: the last status of the control, administrators, notices.
//
// Annex points: 2690:3.2.6 (synchronised time sources).
package clock
