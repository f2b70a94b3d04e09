package watch

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"hostward/internal/core"
)

// Formula is a value of bantime.formula: an arithmetic expression as Python writes
// it, over ban.Time, ban.Count and banFactor. It is computed, never run: there is
// nothing in it but numbers.
type Formula struct {
	text string
	root node
}

type node func(v formulaValues) float64

type formulaValues struct{ time, count, factor float64 }

func (f Formula) set() bool { return f.root != nil }

func (f Formula) value(time, count, factor float64) float64 {
	return f.root(formulaValues{time, count, factor})
}

// String returns the formula as it was written.
func (f Formula) String() string { return f.text }

// ParseFormula reads a formula. Numbers, + - * / // % ** <<, comparisons, "a if b
// else c", int, float, min, max, abs, round, math.exp, math.log, math.sqrt, math.pow
// are accepted.
func ParseFormula(text string) (f Formula, err error) {
	p := &formulaParser{tokens: formulaTokens(text)}
	f.text, f.root = text, p.choice()
	if p.fault == "" && len(p.tokens) > 0 {
		p.fail("there is more behind its end: " + p.tokens[0])
	}
	if p.fault != "" {
		return Formula{}, core.Errorf(core.Invalid, "bantime.formula: %q is no formula: %s; numbers, ban.Time, ban.Count, banFactor, + - * / << and math.exp are accepted", text, p.fault)
	}
	return f, nil
}

func formulaTokens(text string) (tokens []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexFunc(text, func(r rune) bool { return r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(text)
		}
		if n == 0 {
			n = 1
			for _, two := range []string{"<<", "**", "//", "<=", ">=", "==", "!="} {
				if strings.HasPrefix(text, two) {
					n = 2
				}
			}
		}
		tokens, text = append(tokens, text[:n]), text[n:]
	}
	return tokens
}

type formulaParser struct {
	tokens []string
	depth  int
	fault  string
}

func (p *formulaParser) fail(why string) node {
	if p.fault == "" {
		p.fault = why
	}
	p.tokens = nil
	return func(formulaValues) float64 { return math.NaN() }
}

func (p *formulaParser) next(any ...string) string {
	if len(p.tokens) > 0 {
		for _, t := range any {
			if p.tokens[0] == t {
				p.tokens = p.tokens[1:]
				return t
			}
		}
	}
	return ""
}

// choice is "a if b else c".
func (p *formulaParser) choice() node {
	if p.depth++; p.depth > 50 {
		return p.fail("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	a := p.level(0)
	if p.next("if") == "" {
		return a
	}
	b := p.level(0)
	if p.next("else") == "" {
		return p.fail("an if without else")
	}
	c := p.choice()
	return func(v formulaValues) float64 {
		if b(v) != 0 {
			return a(v)
		}
		return c(v)
	}
}

// levels are the operators by how firmly they bind, as in Python.
var levels = [][]string{{"<", "<=", ">", ">=", "==", "!="}, {"<<"}, {"+", "-"}, {"*", "/", "//", "%"}}

func (p *formulaParser) level(n int) node {
	if n == len(levels) {
		return p.sign()
	}
	a := p.level(n + 1)
	for {
		op := p.next(levels[n]...)
		if op == "" {
			return a
		}
		left, right := a, p.level(n+1)
		a = func(v formulaValues) float64 { return calculate(op, left(v), right(v)) }
	}
}

func calculate(op string, a, b float64) float64 {
	yes := func(ok bool) float64 {
		if ok {
			return 1
		}
		return 0
	}
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "//":
		return math.Floor(a / b)
	case "%":
		return a - b*math.Floor(a/b)
	case "**":
		return math.Pow(a, b)
	case "<<":
		return a * math.Exp2(math.Floor(b))
	case "<":
		return yes(a < b)
	case "<=":
		return yes(a <= b)
	case ">":
		return yes(a > b)
	case ">=":
		return yes(a >= b)
	case "==":
		return yes(a == b)
	}
	return yes(a != b)
}

func (p *formulaParser) sign() node {
	if p.next("-") != "" {
		a := p.sign()
		return func(v formulaValues) float64 { return -a(v) }
	}
	a := p.atom()
	if p.next("**") == "" {
		return a
	}
	b := p.sign()
	return func(v formulaValues) float64 { return calculate("**", a(v), b(v)) }
}

var functions = map[string]func(a []float64) float64{
	"int": func(a []float64) float64 { return math.Trunc(a[0]) }, "float": func(a []float64) float64 { return a[0] },
	"abs": func(a []float64) float64 { return math.Abs(a[0]) }, "round": func(a []float64) float64 { return math.RoundToEven(a[0]) },
	"math.exp": func(a []float64) float64 { return math.Exp(a[0]) }, "math.log": func(a []float64) float64 { return math.Log(a[0]) },
	"math.sqrt": func(a []float64) float64 { return math.Sqrt(a[0]) },
}

var functionsOfTwo = map[string]func(a []float64) float64{
	"min": func(a []float64) float64 { return min(a[0], a[1]) }, "max": func(a []float64) float64 { return max(a[0], a[1]) },
	"math.pow": func(a []float64) float64 { return math.Pow(a[0], a[1]) },
}

func (p *formulaParser) atom() node {
	if len(p.tokens) == 0 {
		return p.fail("it ends too early")
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	switch t {
	case "(":
		a := p.choice()
		if p.next(")") == "" {
			return p.fail("a ) is missing")
		}
		return a
	case "ban.Time":
		return func(v formulaValues) float64 { return v.time }
	case "ban.Count":
		return func(v formulaValues) float64 { return v.count }
	case "banFactor":
		return func(v formulaValues) float64 { return v.factor }
	}
	if f, ok := functions[t]; ok {
		return p.call(t, f, 1)
	}
	if f, ok := functionsOfTwo[t]; ok {
		return p.call(t, f, 2)
	}
	x, err := strconv.ParseFloat(t, 64)
	if err != nil || unicode.IsLetter(rune(t[0])) {
		return p.fail(t + " is not known")
	}
	return func(formulaValues) float64 { return x }
}

func (p *formulaParser) call(name string, f func([]float64) float64, takes int) node {
	var args []node
	for open := p.next("("); open != ""; open = p.next(",") {
		args = append(args, p.choice())
	}
	if p.next(")") == "" || len(args) != takes {
		return p.fail(name + " is not called as it should be")
	}
	return func(v formulaValues) float64 {
		values := make([]float64, len(args))
		for i, a := range args {
			values[i] = a(v)
		}
		return f(values)
	}
}
