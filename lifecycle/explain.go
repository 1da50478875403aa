package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Explanation is why a person may do something, or may not.
type Explanation struct {
	Allowed bool     `json:"allowed"`
	Steps   []string `json:"steps" doc:"The chain that leads there, one sentence a step."`
}

// Explain says why a person has a permission or a module, or why not. Exactly one of the two is given.
func (s *Service) Explain(ctx context.Context, sub Subject, user, permission, module string) (*Explanation, error) {
	p, snap, err := s.person(ctx, sub.Org, user)
	if err != nil {
		return nil, err
	}
	if err := Allowed(sub, ActReadMembers, Target{User: user, Rank: p.Grant.Rank()}); err != nil {
		return nil, err
	}
	out := &Explanation{Steps: []string{}}
	if !p.Facts.Active {
		out.say("The account is deactivated or the membership has ended: nothing is effective.")
	}
	switch {
	case (permission == "") == (module == ""):
		return nil, invalid("permission", "one_question", "ask for a permission or for a module")
	case permission != "":
		out.permission(p.Grant, permission)
	default:
		e := snap.Entitlement(module)
		if e == nil {
			return nil, invalid("module", "unknown_module", "is not a module of the organization")
		}
		out.module(p.Grant, e)
	}
	return out, nil
}

func (e *Explanation) say(format string, args ...any) {
	e.Steps = append(e.Steps, fmt.Sprintf(format, args...))
}

func (e *Explanation) permission(g *Grant, permission string) {
	found := false
	for _, p := range g.Permissions {
		if !covers(p.Value, permission) {
			continue
		}
		found = true
		for _, src := range p.Sources {
			e.say("%s gives %s.", src.words(), p.Value)
		}
	}
	if !found {
		e.say("Nothing that the person has gives it.")
	}
	for _, key := range g.suppressing(permission) {
		e.say("The role %s takes it away, whatever gives it.", key)
	}
	e.Allowed = g.Has(permission)
}

func (e *Explanation) module(g *Grant, m *Entitlement) {
	i := slices.IndexFunc(g.Modules, func(x GrantedModule) bool { return x.Entitlement.Key == m.Key })
	if i < 0 {
		e.say("Nothing that the person has gives the module.")
		return
	}
	have := g.Modules[i]
	for _, src := range have.Sources {
		e.say("%s gives the module.", src.words())
	}
	switch have.Cut {
	case "admin_only":
		e.say("Only administrators of the organization can open it, and none of the person's roles is one of theirs.")
	case "plan":
		e.say("The plan does not include it.")
	case "not_supported":
		e.say("The module is retired.")
	}
	e.Allowed = g.Active && have.Cut == ""
}

// words are the source as the beginning of a sentence.
func (s Source) words() string {
	var b strings.Builder
	if s.Group != "" {
		fmt.Fprintf(&b, "The group %s gives the person something: ", s.Group)
	}
	switch s.Via {
	case "role":
		fmt.Fprintf(&b, "the role %s", s.Display)
	case "occupation":
		fmt.Fprintf(&b, "the occupation %s", s.Display)
	case "group":
		b.WriteString("an entitlement of the group")
	default:
		b.WriteString("an entitlement of the person's own")
	}
	text := b.String()
	return strings.ToUpper(text[:1]) + text[1:]
}
