//go:build !unix

package ledger

// syncFolder does nothing: NTFS keeps names in its journal, and a folder
// cannot be synced there.
func syncFolder(string) error { return nil }
