package control

import (
	"encoding/json"
	"maps"
	"slices"
)

func or(b json.RawMessage, otherwise string) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage(otherwise)
	}
	return b
}

// keys are the names in either of two objects, sorted.
func keys(a, b map[string]json.RawMessage) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
