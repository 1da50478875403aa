package filter

// Limits bound what one filter or path may cost before it is understood. A zero field means its default.
type Limits struct {
	Length int // bytes of text
	Depth  int // nesting of parentheses and brackets
	Terms  int // attribute expressions
}

// DefaultLimits are the bounds of a server that is told nothing else.
func DefaultLimits() Limits { return Limits{Length: 8192, Depth: 50, Terms: 200} }

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Length <= 0 {
		l.Length = d.Length
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	if l.Terms <= 0 {
		l.Terms = d.Terms
	}
	return l
}
