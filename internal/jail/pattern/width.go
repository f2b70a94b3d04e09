package pattern

// endless is more than any width that is counted.
const endless = 1 << 30

// width returns the least and the most characters that a node matches.
func (n *node) width() (least, most int) {
	switch n.kind {
	case isText:
		count := len([]rune(n.text))
		return count, count
	case isSet:
		return 1, 1
	case isCat:
		for _, sub := range n.subs {
			low, high := sub.width()
			least, most = added(least, low), added(most, high)
		}
		return least, most
	case isAlt, isCond:
		return widest(n.subs)
	case isRepeat:
		low, high := n.subs[0].width()
		if n.max < 0 {
			high, n = endless, &node{min: n.min, max: 1}
		}
		return times(low, n.min), times(high, n.max)
	case isGroup, isAtomic:
		return n.subs[0].width()
	case isRef:
		return 0, endless
	}
	return 0, 0 // places and look-around
}

func widest(subs []*node) (least, most int) {
	least = endless
	for _, sub := range subs {
		low, high := sub.width()
		least, most = min(least, low), max(most, high)
	}
	return least, most
}

func added(a, b int) int { return min(a+b, endless) }

func times(a, n int) int {
	if a >= endless && n > 0 {
		return endless
	}
	return min(a*n, endless)
}
