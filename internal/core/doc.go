// Package core holds the words that every room of the house uses: Error,
// Secret, Clock, Ref, ID. It imports the standard library only and does
// nothing by itself.
package core
