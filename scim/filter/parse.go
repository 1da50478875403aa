package filter

import (
	"strings"
	"unicode/utf8"

	fp "github.com/scim2/filter-parser/v2"

	"rollcall/scim"
)

// Parse reads a filter (RFC 7644 3.4.2.2 figure 1). The nodes are pointers, numbers are json.Number, strings are
// decoded. Precedence is grouping, not, and, or; and/or associate to the left. Beyond the printed grammar it takes
// runs of spaces, spaces inside parentheses and brackets, no space before a quote or after a closing bracket's
// neighbours (the RFC's own examples slip there), and the dotted value path `emails[type eq "work"].value eq "x"`,
// read as `emails[type eq "work" and value eq "x"]`.
//
// Errors are 400 invalidFilter with the byte position and what was expected there, never the filter's text: a
// filter is personal data.
func Parse(text string, lim Limits) (fp.Expression, error) {
	p, err := newParser(text, lim)
	if err != nil {
		return nil, err
	}
	p.space()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.done() {
		return nil, p.expected("and, or, or the end of the filter")
	}
	return e, nil
}

// ParsePath reads the path of a PATCH operation (RFC 7644 3.5.2 figure 7): `attr`, `attr.sub`, `attr[filter]` or
// `attr[filter].sub`, each possibly after a schema URN. Errors are 400 invalidPath, inside the brackets
// invalidFilter.
func ParsePath(text string, lim Limits) (fp.Path, error) {
	p, err := newParser(text, lim)
	if err != nil {
		return fp.Path{}, asPathError(err)
	}
	p.space()
	attr, err := p.attrPath()
	if err != nil {
		return fp.Path{}, asPathError(err)
	}
	path := fp.Path{AttributePath: attr}
	if p.brackets() {
		if path.ValueExpression, err = p.valueFilter(); err != nil {
			return fp.Path{}, err
		}
		if p.take('.') {
			sub, err := p.name()
			if err != nil {
				return fp.Path{}, asPathError(err)
			}
			path.SubAttribute = &sub
		}
	}
	p.space()
	if !p.done() {
		return fp.Path{}, asPathError(p.expected("the end of the path"))
	}
	return path, nil
}

// asPathError says the same of a path.
func asPathError(err *scim.Error) *scim.Error { return scim.InvalidPath("%s", err.Detail) }

type parser struct {
	s     string
	i     int
	depth int
	terms int
	lim   Limits
}

// newParser applies the bounds that need no parsing. Parse errors are *scim.Error throughout, so that a nil
// pointer never hides in an error interface.
func newParser(text string, lim Limits) (*parser, *scim.Error) {
	lim = lim.withDefaults()
	if len(text) > lim.Length {
		return nil, scim.InvalidFilter("the expression is longer than %d bytes", lim.Length)
	}
	if !utf8.ValidString(text) {
		return nil, scim.InvalidFilter("the expression is not valid UTF-8")
	}
	return &parser{s: text, lim: lim}, nil
}

func (p *parser) expected(what string) *scim.Error {
	return scim.InvalidFilter("position %d: expected %s", p.i+1, what)
}

func (p *parser) done() bool { return p.i >= len(p.s) }

// peek returns the next byte, 0 at the end; no byte of a filter outside a string is 0.
func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// space skips spaces and reports whether there were any.
func (p *parser) space() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	return p.i > start
}

// or reads `and *( SP "or" SP and )`.
func (p *parser) or() (fp.Expression, *scim.Error) {
	left, err := p.and()
	for err == nil && p.keyword("or") {
		var right fp.Expression
		if right, err = p.and(); err == nil {
			left = &fp.LogicalExpression{Left: left, Right: right, Operator: fp.OR}
		}
	}
	return left, err
}

// and reads `factor *( SP "and" SP factor )`.
func (p *parser) and() (fp.Expression, *scim.Error) {
	left, err := p.factor()
	for err == nil && p.keyword("and") {
		var right fp.Expression
		if right, err = p.factor(); err == nil {
			left = &fp.LogicalExpression{Left: left, Right: right, Operator: fp.AND}
		}
	}
	return left, err
}

// keyword consumes SP word SP; the second SP may be missing before a parenthesis.
func (p *parser) keyword(word string) bool {
	start := p.i
	if p.space() && p.word(word) && (p.space() || p.peek() == '(') {
		return true
	}
	p.i = start
	return false
}

// word consumes word, ignoring case.
func (p *parser) word(word string) bool {
	if end := p.i + len(word); end <= len(p.s) && strings.EqualFold(p.s[p.i:end], word) {
		p.i = end
		return true
	}
	return false
}

// factor reads `["not" *SP] "(" or ")" / valuePath / attrExp`.
func (p *parser) factor() (fp.Expression, *scim.Error) {
	start := p.i
	not := p.word("not")
	if not {
		p.space()
	}
	if p.peek() == '(' {
		e, err := p.group()
		if err != nil || !not {
			return e, err
		}
		return &fp.NotExpression{Expression: e}, nil
	}
	p.i = start // an attribute whose name begins with "not"
	return p.attribute()
}

func (p *parser) group() (fp.Expression, *scim.Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	p.i++
	p.space()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take(')') {
		return nil, p.expected("and, or, or a closing parenthesis")
	}
	p.depth--
	return e, nil
}

// enter bounds the recursion: each level of nesting costs a few frames of stack.
func (p *parser) enter() *scim.Error {
	if p.depth++; p.depth > p.lim.Depth {
		return scim.InvalidFilter("position %d: nested deeper than %d levels", p.i+1, p.lim.Depth)
	}
	return nil
}

// attribute reads `attrPath SP ("pr" / op SP value)` or `attrPath "[" or "]" ["." name SP ..]`.
func (p *parser) attribute() (fp.Expression, *scim.Error) {
	path, err := p.attrPath()
	if err != nil {
		return nil, err
	}
	if !p.brackets() {
		return p.comparison(path)
	}
	where, err := p.valueFilter()
	if err != nil {
		return nil, err
	}
	if p.take('.') {
		// Entra: emails[type eq "work"].value eq "x". The condition is on the same element.
		sub, err := p.name()
		if err != nil {
			return nil, err
		}
		cmp, err := p.comparison(fp.AttributePath{AttributeName: sub})
		if err != nil {
			return nil, err
		}
		where = &fp.LogicalExpression{Left: where, Right: cmp, Operator: fp.AND}
	}
	return &fp.ValuePath{AttributePath: path, ValueFilter: where}, nil
}

// brackets reports whether a value filter follows; spaces before it are skipped.
func (p *parser) brackets() bool {
	start := p.i
	p.space()
	if p.peek() == '[' {
		return true
	}
	p.i = start
	return false
}

// valueFilter reads `"[" or "]"`; that names inside are sub-attributes and brackets do not nest is for the compiler.
func (p *parser) valueFilter() (fp.Expression, *scim.Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	p.i++
	p.space()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take(']') {
		return nil, p.expected("and, or, or a closing bracket")
	}
	p.depth--
	return e, nil
}

// comparison reads `SP "pr" / SP op SP value`.
func (p *parser) comparison(path fp.AttributePath) (fp.Expression, *scim.Error) {
	if p.terms++; p.terms > p.lim.Terms {
		return nil, scim.InvalidFilter("position %d: more than %d terms", p.i+1, p.lim.Terms)
	}
	if !p.space() {
		return nil, p.expected("a space and an operator")
	}
	op, ok := p.operator()
	if !ok {
		return nil, p.expected("an operator: eq ne co sw ew gt ge lt le pr")
	}
	e := &fp.AttributeExpression{AttributePath: path, Operator: op}
	if op == fp.PR {
		return e, nil
	}
	// RFC 7644 itself writes `value eq"x"`: the quote ends the operator well enough.
	if !p.space() && p.peek() != '"' {
		return nil, p.expected("a space and a value")
	}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	e.CompareValue = v
	return e, nil
}

// attrPath reads `[URI ":"] name ["." name]`.
func (p *parser) attrPath() (fp.AttributePath, *scim.Error) {
	start := p.i
	for p.i < len(p.s) && isPathByte(p.s[p.i]) {
		p.i++
	}
	token, end := p.s[start:p.i], p.i
	p.i = start // errors point at the token
	if token == "" {
		return fp.AttributePath{}, p.expected("an attribute name")
	}
	var path fp.AttributePath
	// The name follows the last colon; a URN is never cut at a dot, it contains "2.0".
	if colon := strings.LastIndexByte(token, ':'); colon >= 0 {
		uri := token[:colon]
		if uri == "" || !isAlpha(uri[0]) {
			return fp.AttributePath{}, p.expected("a schema URI or an attribute name")
		}
		path.URIPrefix, token = &uri, token[colon+1:]
	}
	name, sub, dotted := strings.Cut(token, ".")
	if !isName(name) {
		return fp.AttributePath{}, p.expected("an attribute name")
	}
	path.AttributeName = name
	if dotted {
		// `urn:..:2.0:User.manager.value`, an old Entra's dot for the last colon, keeps two names in sub: resolving
		// the path sorts it out.
		first, second, more := strings.Cut(sub, ".")
		if !isName(first) || more && (path.URIPrefix == nil || !isName(second)) {
			return fp.AttributePath{}, p.expected("an attribute name with at most one sub-attribute")
		}
		path.SubAttribute = &sub
	}
	p.i = end
	return path, nil
}

// name reads one attribute name.
func (p *parser) name() (string, *scim.Error) {
	start := p.i
	for p.i < len(p.s) && isPathByte(p.s[p.i]) {
		p.i++
	}
	token := p.s[start:p.i]
	if !isName(token) {
		p.i = start
		return "", p.expected("the name of one sub-attribute")
	}
	return token, nil
}
