package outside

import "slices"

// Kinds are all kinds of findings there are.
func Kinds() (out []ID) {
	for id := range advice() {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
