package lifecycle

import (
	"context"
	"encoding/json"

	"rollcall/scim"
	"rollcall/storage"
)

// HistoryEntry is a committed change of a person.
type HistoryEntry struct {
	At      Instant         `json:"at"`
	By      Ref             `json:"by"`
	Op      string          `json:"op" enum:"create,replace,patch,delete"`
	Version int64           `json:"version"`
	Request string          `json:"request,omitempty" doc:"Id of the request."`
	Changes []HistoryChange `json:"changes" nullable:"false"`
}

// HistoryChange is what one change did to one attribute.
type HistoryChange struct {
	Path string `json:"path"`
	Old  any    `json:"old,omitempty" doc:"Absent if there was no value, or if it is not kept."`
	New  any    `json:"new,omitempty"`
}

// History returns what was changed of a person, newest first, whether they are still there or not; more says that there
// is more.
func (s *Service) History(ctx context.Context, sub Subject, id string, skip, limit int) (list []HistoryEntry, more bool, err error) {
	if err := Allowed(sub, ActAudit, Target{User: id}); err != nil {
		return nil, false, err
	}
	changes, err := s.store.History(ctx, userKey(sub.Org, id), skip, limit+1)
	if err != nil {
		return nil, false, fail(typeUser, err)
	}
	if len(changes) == 0 && skip == 0 {
		return nil, false, notFound(typeUser)
	}
	if len(changes) > limit {
		changes, more = changes[:limit], true
	}
	list = make([]HistoryEntry, len(changes))
	names := s.names(sub.Org)
	for i := range changes {
		by, err := names.actor(ctx, &changes[i])
		if err != nil {
			return nil, false, err
		}
		list[i] = entryOf(&changes[i], by)
	}
	return list, more, nil
}

func entryOf(ch *storage.Change, by Ref) HistoryEntry {
	e := HistoryEntry{
		At: at(ch.At), By: by, Op: string(ch.Op),
		Version: ch.Version, Request: ch.Request, Changes: make([]HistoryChange, len(ch.Values)),
	}
	for i, v := range ch.Values {
		e.Changes[i] = HistoryChange{Path: v.Path, Old: v.Old, New: v.New}
	}
	return e
}

// DeactivatedBy says why somebody has no access.
type DeactivatedBy struct {
	At      Instant `json:"at,omitzero"`
	By      string  `json:"by,omitempty"`
	Display string  `json:"display,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Until   Instant `json:"until,omitzero"`
	Note    string  `json:"note,omitempty"`
}

// MemberFacts are what lists of members show.
type MemberFacts struct {
	UserName     string
	Label        string
	Active       bool
	Roles        []string
	Occupation   string
	Deactivation *DeactivatedBy
}

// MemberOf reads what lists of members show from a user.
func (s *Service) MemberOf(r *scim.Resource) (*MemberFacts, error) {
	doc, err := scim.DecodeAttributes(r.Doc)
	if err != nil {
		return nil, err
	}
	return s.factsOf(doc)
}

func (s *Service) factsOf(doc scim.Attributes) (*MemberFacts, error) {
	f := FactsOf(doc, nil, s.now())
	m := &MemberFacts{Active: doc["active"] != false, Roles: f.Roles, Occupation: f.Occupation, Label: s.registry.Definition(typeUser).Label(doc)}
	m.UserName, _ = doc["userName"].(string)
	if m.Roles == nil {
		m.Roles = []string{}
	}
	if why := extension(doc, "deactivation"); why != nil {
		m.Deactivation = &DeactivatedBy{}
		if err := json.Unmarshal(scim.AppendJSON(nil, why), m.Deactivation); err != nil {
			return nil, err
		}
	}
	return m, nil
}
