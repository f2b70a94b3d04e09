// Package handler keeps whether sites may choose by their own configuration which
// program handles a file (SPEC C4): rows say what should be, and the control of the
// same name brings it about for Apache. For IIS it works on files that are handed
// to it: Hostward does not run on Windows, so nothing about IIS is ever in force here.
//
// Changing the rows changes nothing on the machine; the order of the control does.
// The control never edits a site's own files: it changes what they are allowed, and
// tells before which of them use what goes.
//
// Annex points: 2690:6.3 (configuration management), 2690:6.9 (protection against
// malicious and unauthorised software).
package handler
