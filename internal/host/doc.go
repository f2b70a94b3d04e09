// Package host holds the words for effects on the machine, as data only. Who
// plans effects (a feature's control) cannot carry them out; who carries them
// out (hands) does not decide; who looks (eyes) changes nothing.
//
// Two kinds of thing are kept in order. The nameserver follows objects, each in
// versions: Follower, SetZone, DropZone. The machine itself has states: an Order
// says what one control should be, Eyes see what is, and the steps between are
// files, nftables tables and commands from a closed list.
package host
