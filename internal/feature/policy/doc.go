// Package policy shows panel.ini and puts every change of it on record.
//
// Root owns the file. Whoever edits it, by hand or through the panel, what it
// then says is adopted by a system operation with old and new values, also at
// the next start (SPEC L1). The panel edits single values through a wish: the
// wish is on record first, the file is written after, and adopting the file
// fulfils the wish. The NIS2 mode is not among them: it is switched in the
// file only (SPEC L6).
//
// It never writes the file itself and never decides what is in force: both are
// done where the file is read. Annex points: 2690:1.1, 2690:3.2.
package policy
