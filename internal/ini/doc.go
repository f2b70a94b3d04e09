// Package ini reads and edits panel.ini, the policy file that people own. It
// keeps every byte it was not asked to change, and keeps the last good policy
// when the file is broken (SPEC A2, L6).
//
// The syntax is PHP's, as PHP 8.2 reads it (Zend/zend_ini_scanner.l), less
// what would need PHP to understand: ${VAR}, constants and expressions are
// refused. It also refuses what PHP accepts and silently drops: a line that
// begins with "#" (since PHP 7 the beginning of a key, not a comment), a key
// without "=", text after "]", and texts joined from several quotes.
//
// In one point it differs: a section that is written twice is read as one,
// last key wins, where PHP's parse_ini_file forgets the first.
package ini
