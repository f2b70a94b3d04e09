// Package file replaces and removes files so that a crash leaves the old
// content or the new one, never half of either, and so that what was reported
// done is on the disk. It also keeps two processes from the same folder.
package file
