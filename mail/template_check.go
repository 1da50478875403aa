package mail

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

// Bounds of a template that an organization writes. They also bound what it renders to: some hundred KiB.
const (
	maxTemplate  = 32 << 10 // bytes
	maxSubject   = 500      // bytes
	maxUses      = 100      // of variables in one part
	maxLinesUses = 4        // of variables of several lines in one part
	maxDepth     = 10       // of {{if}} in {{if}}
)

// TemplateError says what is wrong with a part of a template, for the person who wrote it.
type TemplateError struct {
	Part   string // "subject", "text" or "html"
	Line   int    // from 1; 0 if no line can be named
	Reason string
}

func (e *TemplateError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", e.Part, e.Line, e.Reason)
	}
	return e.Part + ": " + e.Reason
}

// A checker reads one part of a template in the closed language: text, {{.Variable}}, and {{if .Variable}} ... {{else}}
// ... {{end}}. Nothing that Go's templates have beyond that can be reached: no function, no loop, no definition.
type checker struct {
	part    string
	allowed []Variable
	tree    *parse.Tree
	used    map[string]int // shown or asked about by {{if}}
	shown   map[string]int
}

// check returns the variables that source shows and how often.
func check(part, source string, k Kind) (map[string]int, error) {
	c := checker{part: part, allowed: k.Variables(), used: map[string]int{}, shown: map[string]int{}}
	if !utf8.ValidString(source) {
		return nil, &TemplateError{Part: part, Reason: "is not UTF-8"}
	}
	limit := maxTemplate
	if part == partSubject {
		limit = maxSubject
	}
	if len(source) > limit {
		return nil, &TemplateError{Part: part, Reason: fmt.Sprintf("is longer than %d bytes", limit)}
	}
	t, err := template.New(part).Parse(source)
	if err != nil {
		return nil, syntaxError(part, err)
	}
	if len(t.Templates()) > 1 {
		return nil, &TemplateError{Part: part, Reason: "must not define templates"}
	}
	if t.Tree == nil || t.Root == nil {
		return c.shown, nil
	}
	c.tree = t.Tree
	if err := c.list(t.Root, 0); err != nil {
		return nil, err
	}
	total, lines := 0, 0
	for name, n := range c.used {
		total += n
		if slices.Contains([]string{"Message", "Reason", "Summary"}, name) {
			lines += n
		}
	}
	if total > maxUses || lines > maxLinesUses {
		return nil, &TemplateError{Part: part, Reason: fmt.Sprintf(
			"uses variables too often: %d times in all and %d times those of several lines are the most", maxUses, maxLinesUses)}
	}
	return c.shown, nil
}

// syntaxError turns an error of the template parser ("template: text:3: unexpected ...") into ours.
func syntaxError(part string, err error) error {
	m := regexp.MustCompile(`^template: [^:]*:(\d+):(?:\d+:)? *(.*)$`).FindStringSubmatch(cut(err.Error(), 300))
	if m == nil {
		return &TemplateError{Part: part, Reason: "is no template: look at the braces"}
	}
	line, _ := strconv.Atoi(m[1])
	return &TemplateError{Part: part, Line: line, Reason: m[2]}
}

func (c *checker) fail(n parse.Node, reason string) error {
	line := 0
	if location, _ := c.tree.ErrorContext(n); location != "" { // "text:3:14"
		if parts := strings.Split(location, ":"); len(parts) > 1 {
			line, _ = strconv.Atoi(parts[1])
		}
	}
	return &TemplateError{Part: c.part, Line: line, Reason: reason}
}

func (c *checker) list(l *parse.ListNode, depth int) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		var err error
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			err = c.variable(n, n.Pipe, c.shown)
		case *parse.IfNode:
			if depth == maxDepth {
				return c.fail(n, fmt.Sprintf("{{if}} is nested more than %d deep", maxDepth))
			}
			if err = c.variable(n, n.Pipe, map[string]int{}); err == nil {
				err = c.list(n.List, depth+1)
			}
			if err == nil {
				err = c.list(n.ElseList, depth+1)
			}
		default:
			err = c.fail(n, "only {{.Variable}} and {{if .Variable}} ... {{else}} ... {{end}} can be used")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) variable(n parse.Node, p *parse.PipeNode, count map[string]int) error {
	if p == nil || len(p.Decl) > 0 || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return c.fail(n, "only a variable can stand between the braces, such as {{.Organization}}")
	}
	f, ok := p.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return c.fail(n, "only a variable can stand between the braces, such as {{.Organization}}")
	}
	name := f.Ident[0]
	if !slices.ContainsFunc(c.allowed, func(v Variable) bool { return v.Name == name }) {
		names := make([]string, len(c.allowed))
		for i, v := range c.allowed {
			names[i] = v.Name
		}
		return c.fail(n, "there is no variable "+cut(name, 40)+" here; there are "+strings.Join(names, ", "))
	}
	c.used[name]++
	count[name]++
	return nil
}
