package lifecycle

import (
	"context"
	"strings"
	"unicode"

	"golang.org/x/text/language"

	"rollcall/scim"
)

// permissionName is what lets somebody write names of people: whoever is no more than a manager has it not.
const permissionName = "profile.name.write"

// ProfileChange is what is to become of a profile: nil leaves what there is, an empty text takes it away.
type ProfileChange struct {
	GivenName, FamilyName, DisplayName   *string
	Title, PhoneNumber, Locale, Timezone *string
}

// Bounds of a profile, in characters.
const (
	maxNamePart    = 100
	maxDisplayName = 200
	maxTitle       = 200
	maxPhone       = 50
	maxLocale      = 35
	maxTimezone    = 64
)

// ChangeProfile writes a person's name, title, phone number, language and time zone, all at once. People write their own
// profile, and who administers those of people of a lower rank. Names need a permission, which managers do not have.
func (s *Service) ChangeProfile(ctx context.Context, sub Subject, id string, pre scim.Precondition, ch ProfileChange) (*Person, error) {
	if id == "" { // of a token
		return nil, notAPerson()
	}
	if err := ch.check(); err != nil {
		return nil, err
	}
	return s.editAttributes(ctx, sub, id, pre, func(p *Person) ([]attributeEdit, error) {
		if err := mayEditProfile(sub, p); err != nil {
			return nil, err
		}
		names := ch.nameEdits(p.Doc)
		if len(changing(p.Doc, names)) > 0 {
			if err := s.mayWriteNames(ctx, sub, p); err != nil {
				return nil, err
			}
		}
		return append(names, ch.edits()...), nil
	}, nil)
}

// notAPerson is the answer to a token that asks for what only people have.
func notAPerson() error { return forbidden("not_a_person", "a token is nobody: sign in as a person") }

// mayEditProfile says whether the subject may write the profile of a person. Tokens that may create and change people
// may do that too.
func mayEditProfile(sub Subject, p *Person) error {
	target := Target{User: p.ID, Rank: p.Grant.Rank()}
	err := Allowed(sub, ActEditProfile, target)
	if err != nil && sub.Kind == KindApp && Allowed(sub, ActWriteMember, target) == nil {
		return nil
	}
	return err
}

// mayWriteNames says whether the subject may write the name of a person: a permission that some roles lack.
func (s *Service) mayWriteNames(ctx context.Context, sub Subject, p *Person) error {
	if sub.User == "" { // a token has no roles
		return nil
	}
	actor := p
	if sub.User != p.ID {
		var err error
		if actor, _, err = s.person(ctx, sub.Org, sub.User); err != nil {
			return err
		}
	}
	if !actor.Grant.Has(permissionName) {
		return forbidden("name_not_yours", "your role does not include changing names: ask an administrator")
	}
	return nil
}

// check bounds the texts.
func (ch *ProfileChange) check() error {
	for _, f := range []struct {
		path string
		text *string
		most int
	}{
		{"name.givenName", ch.GivenName, maxNamePart},
		{"name.familyName", ch.FamilyName, maxNamePart},
		{"displayName", ch.DisplayName, maxDisplayName},
		{"title", ch.Title, maxTitle},
		{"phoneNumber", ch.PhoneNumber, maxPhone},
		{"locale", ch.Locale, maxLocale},
		{"timezone", ch.Timezone, maxTimezone},
	} {
		if f.text == nil {
			continue
		}
		*f.text = strings.TrimSpace(*f.text)
		if len([]rune(*f.text)) > f.most {
			return invalid(f.path, "too_long", "must have at most %d characters", f.most)
		}
		if strings.ContainsFunc(*f.text, unicode.IsControl) {
			return invalid(f.path, "malformed", "must be one line without control characters")
		}
	}
	if ch.Locale != nil && *ch.Locale != "" {
		if _, err := language.Parse(*ch.Locale); err != nil {
			return invalid("locale", "malformed", "must be a language tag such as de-DE")
		}
	}
	if ch.Timezone != nil && strings.ContainsFunc(*ch.Timezone, notOfTimezone) {
		return invalid("timezone", "malformed", "must be a name of the time zone database such as Europe/Berlin")
	}
	return nil
}

func notOfTimezone(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/_+-", r)
}

// edits are those of what is no name.
func (ch *ProfileChange) edits() []attributeEdit {
	list := append(plainEdit("title", ch.Title), plainEdit("locale", ch.Locale)...)
	list = append(list, plainEdit("timezone", ch.Timezone)...)
	if ch.PhoneNumber != nil {
		list = append(list, attributeEdit{path: "phoneNumbers", set: func(doc scim.Attributes) { setTyped(doc, "phoneNumbers", "work", *ch.PhoneNumber) }})
	}
	return list
}

// nameEdits are those of names. What shows the name, and said what the old one was, says the new one.
func (ch *ProfileChange) nameEdits(old scim.Attributes) []attributeEdit {
	var edits []attributeEdit
	part := func(name string, text *string) {
		if text == nil {
			return
		}
		edits = append(edits, attributeEdit{path: "name." + name, set: func(doc scim.Attributes) {
			was, _ := doc["name"].(scim.Attributes)
			next := scim.CloneAttributes(was)
			if next == nil {
				next = scim.Attributes{}
			}
			setText(next, name, *text)
			if doc["name"] = next; len(next) == 0 {
				delete(doc, "name")
			}
		}})
	}
	part("givenName", ch.GivenName)
	part("familyName", ch.FamilyName)
	was := wholeName(old)
	next := scim.CloneAttributes(old)
	for _, e := range edits {
		e.set(next)
	}
	is := wholeName(next)
	if name, _ := old["name"].(scim.Attributes); was != is && name["formatted"] == was && was != "" {
		part("formatted", &is)
		edits[len(edits)-1].derived = true
	}
	shown, had := old["displayName"].(string)
	switch {
	case ch.DisplayName != nil:
		return append(edits, plainEdit("displayName", ch.DisplayName)...)
	case was != is && is != "" && had && (shown == was || was == "" && shown == text(old["userName"])):
		follows := plainEdit("displayName", &is)
		follows[0].derived = true
		return append(edits, follows...)
	}
	return edits
}

// wholeName is given and family name as one text.
func wholeName(doc scim.Attributes) string {
	name, _ := doc["name"].(scim.Attributes)
	return strings.TrimSpace(text(name["givenName"]) + " " + text(name["familyName"]))
}

func plainEdit(name string, text *string) []attributeEdit {
	if text == nil {
		return nil
	}
	return []attributeEdit{{path: name, set: func(doc scim.Attributes) { setText(doc, name, *text) }}}
}

func setText(doc scim.Attributes, name, text string) {
	if doc[name] = text; text == "" {
		delete(doc, name)
	}
}

// setTyped sets the value of a type in a multi-valued attribute; the others stay. Empty takes it away.
func setTyped(doc scim.Attributes, name, kind, value string) {
	var next []any
	found := false
	for _, v := range list(doc[name]) {
		el, _ := v.(scim.Attributes)
		if text(el["type"]) != kind || found {
			next = append(next, v)
			continue
		}
		found = true
		if value != "" {
			el = scim.CloneAttributes(el)
			el["value"] = value
			next = append(next, el)
		}
	}
	if !found && value != "" {
		next = append(next, scim.Attributes{"value": value, "type": kind})
	}
	if doc[name] = next; len(next) == 0 {
		delete(doc, name)
	}
}

// ProfileOf is what a profile shows of a person.
type ProfileOf struct {
	GivenName, FamilyName, DisplayName, Title, PhoneNumber, Locale, Timezone, Email, Photo string

	EmailVerified bool
	Completeness  int      // percent
	Missing       []string // what people should tell about themselves and have not
}

// Profile is what a profile shows.
func (p *Person) Profile() ProfileOf {
	doc := p.Doc
	name, _ := doc["name"].(scim.Attributes)
	out := ProfileOf{
		GivenName: text(name["givenName"]), FamilyName: text(name["familyName"]), DisplayName: text(doc["displayName"]), Title: text(doc["title"]),
		PhoneNumber: typedValue(doc, "phoneNumbers", "work"), Locale: text(doc["locale"]), Timezone: text(doc["timezone"]),
		Email: mainValue(doc, "emails"), Photo: typedValue(doc, "photos", "photo"), Completeness: int(completeness(doc)),
		EmailVerified: extension(doc, "emailVerified") == true, Missing: []string{},
	}
	for _, part := range profileParts(doc) {
		if !part.filled {
			out.Missing = append(out.Missing, part.name)
		}
	}
	return out
}

// typedValue is the value of a type in a multi-valued attribute, or else the main one.
func typedValue(doc scim.Attributes, name, kind string) string {
	for _, v := range list(doc[name]) {
		if el, _ := v.(scim.Attributes); text(el["type"]) == kind {
			return text(el["value"])
		}
	}
	return mainValue(doc, name)
}
