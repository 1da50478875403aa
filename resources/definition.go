package resources

import (
	"context"
	"errors"
	"fmt"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/query"
	"rollcall/scim/schema"
	"rollcall/storage"
)

// Definition is a resource type and what is special about it. Every hook may be nil; a definition without hooks is
// complete. Hooks are pure: they run inside the store's callbacks, possibly more than once.
type Definition struct {
	*schema.ResourceType

	// Default completes a resource that is being created with what an absent attribute means.
	Default func(doc *schema.Document)
	// Normalize rewrites what the profile's clients are known to send in a form of their own, in a document that
	// is about to be stored, and returns the rules that it used. It must not change values in place, which the
	// stored document may share: it puts new ones.
	Normalize func(p compat.Profile, doc scim.Attributes) []compat.Rule
	// Label is the text by which references to the resource show it, such as members.display. Without it that is
	// displayName, else the first unique attribute.
	Label func(doc scim.Attributes) string
	// Unique are attributes that are unique only for clients whose profile has the rule.
	Unique []UniqueRule
	// Revive says whether creating next, whose unique attribute old has, is to re-activate old instead
	// (compat.ReactivateOnCreate).
	Revive func(old, next scim.Attributes) bool
	// Keys are unique keys beside those of the schema, for values that are unique only in some states. Their Attr is
	// the path of an attribute in Indexed.
	Keys func(doc scim.Attributes) []query.UniqueKey
	// Check judges and completes what a write is about to store; see [Checker].
	Check Checker
	// OnCreate, OnUpdate and OnDelete are what such a write means beside its own document; see [Rules].
	OnCreate, OnUpdate, OnDelete Rules
	// Refused is told of a write that did not happen, outside of any transaction, and returns what the client is told. It
	// is for refusals that somebody else must hear of.
	Refused func(ctx context.Context, c scim.Caller, err error) error
	// View serves what no document holds; see [View].
	View View

	secrets []*schema.Attribute // returned=never
	rules   []uniqueField       // Unique, resolved
	// computed are the paths of the attributes that no document holds.
	computed []string
}

// UniqueRule makes the attribute at Path unique for the clients whose profile has Rule. The key is written with
// each document that such a client stores, so resources written by other clients do not take part.
type UniqueRule struct {
	Rule compat.Rule
	Path string
}

type uniqueField struct {
	rule  compat.Rule
	field query.Field
}

// Registry is the set of definitions that a server runs with.
type Registry struct {
	*schema.Registry
	definitions map[scim.TypeName]*Definition
	views       bool // some type has a View
}

// Default returns the resource types of Rollcall, internal ones last. Each call makes new ones.
func Default() []*Definition {
	return []*Definition{
		User(), Group(), Role(), Entitlement(), Occupation(), Invite(), JoinRequest(),
		Settings(), Epoch(), GroupGrant(), ChangeRequest(), Tombstone(), Photo(), Seal(), Refusal(),
		Mail(), MailTemplate(), MailRoute(), MailAddress(), Limit(),
		IdempotentRequest(), App(), Connection(), Conflict(), Domain(),
		Client(), ClientHandover(), Transfer(), TransferItem(), TransferStep(),
		Login(), Proof(), Job(), JobPart(), JobTicket(), PasswordReset(),
	}
}

// NewRegistry checks the definitions and derives what the server needs from them.
func NewRegistry(definitions ...*Definition) (*Registry, error) {
	r := &Registry{definitions: make(map[scim.TypeName]*Definition, len(definitions))}
	types := make([]*schema.ResourceType, len(definitions))
	for i, d := range definitions {
		types[i] = d.ResourceType
	}
	var err error
	if r.Registry, err = schema.NewRegistry(types...); err != nil {
		return nil, err
	}
	for _, d := range definitions {
		if err := d.build(); err != nil {
			return nil, fmt.Errorf("resource type %s: %w", d.Name, err)
		}
		r.definitions[d.Name] = d
		r.views = r.views || d.View != nil
	}
	return r, nil
}

func (d *Definition) build() error {
	d.secrets, d.rules, d.computed = nil, nil, nil
	for _, s := range d.schemas() {
		for _, a := range s.Attributes {
			if a.Computed {
				d.computed = append(d.computed, schema.Path{Schema: s, Attr: a, Extension: s != d.Schema}.String())
			}
		}
	}
	if (d.OnCreate != nil || d.OnUpdate != nil) && d.Members != "" {
		return errors.New("the writes of a type with members have no rules")
	}
	for _, a := range d.Schema.Attributes {
		if a.Returned != schema.ReturnedNever {
			continue
		}
		// What no answer may carry is kept as a hash: there is no other use for it here.
		if a.Kind != query.String || a.Multi {
			return fmt.Errorf("%s: an attribute with returned=never must be a single string", a.Name)
		}
		d.secrets = append(d.secrets, a)
	}
	for _, u := range d.Unique {
		p, err := d.ParsePath(u.Path, nil)
		if err != nil {
			return fmt.Errorf("unique: %w", err)
		}
		if t := p.Target(); t == nil || t.Kind != query.String || p.Field().Multi {
			return fmt.Errorf("unique %s: only single-valued strings can be unique", u.Path)
		}
		d.rules = append(d.rules, uniqueField{u.Rule, p.Field()})
	}
	return nil
}

// StorageTypes is what a store must know of the registered types.
func (r *Registry) StorageTypes() []storage.Type {
	types := make([]storage.Type, 0, len(r.definitions))
	for _, t := range r.All() {
		types = append(types, storage.Type{
			Name: t.Name, Indexes: t.Indexes(), Members: t.Members, Groups: t.Groups,
		})
	}
	return types
}

// Definition returns the definition of the type called name, be it internal; nil if there is none.
func (r *Registry) Definition(name scim.TypeName) *Definition { return r.definitions[name] }

func (d *Definition) schemas() []*schema.Schema {
	list := []*schema.Schema{d.Schema}
	for _, e := range d.Extensions {
		list = append(list, e.Schema)
	}
	return list
}

// Endpoints are the endpoints of the registered types, as scopes name them.
func (r *Registry) Endpoints() []string {
	list := make([]string, 0, len(r.definitions))
	for _, t := range r.Types() {
		list = append(list, t.Endpoint)
	}
	return list
}

// uniqueKeys are the keys of the schema and those that the profile adds.
func (d *Definition) uniqueKeys(p compat.Profile, doc scim.Attributes) []query.UniqueKey {
	keys := d.UniqueKeys(doc)
	if d.Keys != nil {
		keys = append(keys, d.Keys(doc)...)
	}
	for _, u := range d.rules {
		if !p.Has(u.rule) {
			continue
		}
		if v, ok := query.SortValue(u.field, doc); ok {
			keys = append(keys, query.UniqueKey{Attr: u.field.Path, Value: query.Fold(v.Str)})
		}
	}
	return keys
}

func (d *Definition) normalize(p compat.Profile, doc scim.Attributes) []compat.Rule {
	if d.Normalize == nil {
		return nil
	}
	return d.Normalize(p, doc)
}

func (d *Definition) label(doc scim.Attributes) string {
	if d.Label != nil {
		return d.Label(doc)
	}
	if s, ok := doc["displayName"].(string); ok && s != "" {
		return s
	}
	for _, x := range d.Indexes() {
		if s, ok := doc[x.Field.LocalName()].(string); ok && x.Unique {
			return s
		}
	}
	return ""
}
