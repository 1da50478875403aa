package lifecycle

import (
	"slices"
	"strings"
)

// codeLosses refuses a change that takes something away, unless whoever changes has said to know.
const codeLosses = "losses_not_acknowledged"

// Consequences are what a change makes of what a person may do.
type Consequences struct {
	Lost    []string `json:"lost" nullable:"false" doc:"Permissions, modules (module:key) and sub-accounts (subAccount:key) that the person has now and would not have."`
	Gained  []string `json:"gained" nullable:"false" doc:"What the person would have and has not now."`
	Orphans []Orphan `json:"orphans" nullable:"false" doc:"What would have nobody any more who manages it as its owner."`
}

// Orphan is a kind of things that a person owns and could not manage any more.
type Orphan struct {
	Kind string `json:"kind" doc:"The kind of things, as permissions name it: forms, documents, clients."`
	Text string `json:"text" doc:"One sentence for an administrator."`
}

// compare says what turns the grant before into after.
func compare(before, after *Grant) *Consequences {
	have, will := before.all(), after.all()
	c := &Consequences{Lost: []string{}, Gained: []string{}, Orphans: []Orphan{}}
	for _, v := range have {
		if !after.includes(v) {
			c.Lost = append(c.Lost, v)
		}
	}
	for _, v := range will {
		if !before.includes(v) {
			c.Gained = append(c.Gained, v)
		}
	}
	for _, v := range c.Lost {
		kind, _, own := strings.Cut(v, ".own.")
		if o := (Orphan{kind, "what the person owns of these stays, but the person cannot manage it any more"}); own && !slices.Contains(c.Orphans, o) {
			c.Orphans = append(c.Orphans, o)
		}
	}
	return c
}

// all are the permissions, modules and sub-accounts of a grant as texts.
func (g *Grant) all() []string {
	list := g.Effective()
	for _, m := range g.EffectiveModules() {
		text := "module:" + m.Key
		if m.Read {
			text += ":read"
		}
		list = append(list, text)
	}
	if g.Active {
		for _, a := range g.SubAccounts {
			list = append(list, "subAccount:"+a.Key)
		}
	}
	return list
}

// includes reports whether the grant has what the text of another one's all says, be it as part of more.
func (g *Grant) includes(text string) bool {
	key, isModule := strings.CutPrefix(text, "module:")
	if isModule {
		key, read := strings.CutSuffix(key, ":read")
		return slices.ContainsFunc(g.EffectiveModules(), func(m GrantedModule) bool { return m.Key == key && (read || !m.Read) })
	}
	if key, ok := strings.CutPrefix(text, "subAccount:"); ok {
		return g.Active && slices.ContainsFunc(g.SubAccounts, func(a GrantedSubAccount) bool { return a.Key == key })
	}
	return g.Has(text)
}

// acknowledge refuses a change if something is lost that whoever changes has not said to know.
func (c *Consequences) acknowledge(acks []string) error {
	missing := 0
	for _, v := range c.Lost {
		if !slices.Contains(acks, v) {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	return conflict(codeLosses,
		"the person would lose %d permissions, modules or sub-accounts: look at the preview and name each in ackLosses", missing)
}
