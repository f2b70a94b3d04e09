package pattern

// An inst is one step of a program. Unless it says otherwise the next one
// follows.
type inst struct {
	op    op
	b     byte    // of a byte
	at    place   // of a place
	mode  mode    // of a run
	not   bool    // of look-around: must not match; of a reference: in any case
	wide  bool    // of a place: by Unicode's words
	last  bool    // of a run: nothing of it can be given back
	maybe bool    // of such a run: one character, or none
	plain bool    // of such a run: any number of characters of the set
	x, y  int32   // where to go: first choice, second choice
	min   int32   // of a run
	max   int32   // of a run; negative: without end
	mark  int32   // number of a state that is remembered; negative: none
	arg   int32   // a slot, a group, a register, a width
	text  *string // of a text; of a run: what begins none of its characters
	set   *set    // of one character, of a run
	tx    *table  // what the first choice can begin with; after a run: what can follow
	ty    *table  // what the second choice can begin with
}

type op uint8

const (
	opByte   op = iota // one byte
	opText             // several
	opSet              // one character out of a set
	opRun              // as many characters of a set as its mode says
	opSplit            // x, or else y
	opJump             // to x
	opSave             // remember the place in slot arg
	opPlace            // a condition on the place
	opRef              // what group arg matched, again
	opCond             // y unless group arg matched
	opLook             // what follows, up to opDone, stands here, or arg characters before; then x
	opNeed             // the text stands here or later
	opSee              // the text stands here, or does not
	opAtomic           // what follows, up to opDone, the first way it matches; then x
	opDone             // the end of either
	opEnter            // remember in register arg where a round of a loop began
	opRound            // a round of the loop at x is over; y if it matched nothing
	opMatch            // the end
)

const mostInsts = 20_000
