// Package control keeps, for each control of the machine, the last order: what it
// should be from now on (SPEC 5). An order is made of what the control's own
// feature keeps, goes on record first, and then to the agent, which carries it out
// with the proof of that record. What the agent's journal tells comes on record
// too: what it did, what somebody else changed, what it mended or undid.
//
// An order that can shut people out is undone by the agent unless it is confirmed
// over a connection that is newer than the change: who confirms over an old one
// proves nothing.
//
// It never acts on the machine, and knows no control by name.
//
// Kinds of object: "control" (one for each control that was ever ordered; its
// digest is that of the order) and "agent" (how far its journal was taken).
// Port: Agent. Annex points: 2690:3.2, 2690:6.3 (configuration), 2690:6.7, 2690:6.8.
package control
