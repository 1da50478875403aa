package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Effect is what an application does when somebody is removed.
type Effect struct {
	ID   string `json:"id" minLength:"1" maxLength:"50" pattern:"^[a-z0-9][a-z0-9.-]*$"`
	Verb string `json:"verb" enum:"cancels,keeps,deletes"`
	Text string `json:"text" minLength:"1" maxLength:"300" doc:"A sentence for administrators, such as 'Meetings they scheduled are cancelled.'"`
}

// App is an application that uses the directory.
type App struct {
	Key     string   `json:"key"`
	Display string   `json:"display"`
	Effects []Effect `json:"effects" nullable:"false"`

	WorkTypes []WorkType `json:"workTypes,omitempty" nullable:"false" doc:"What of a person's work the application can hand over."`
}

// Bounds of what applications say.
const (
	maxApps    = 200
	maxEffects = 20
)

// Statement is a sentence that an administrator acknowledges before somebody is removed.
type Statement struct {
	ID   string `json:"id"`
	App  string `json:"app,omitempty" doc:"The application whose effect it is."`
	Verb string `json:"verb" enum:"cancels,keeps,deletes"`
	Text string `json:"text"`
}

// Statements are all of them. The version changes with any of them.
type Statements struct {
	Version    string      `json:"version"`
	Statements []Statement `json:"statements" nullable:"false"`
}

func appKey(org scim.OrgID, key string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeApp, ID: idOf("app", string(org), key)}
}

// PutApp stores what an application says of itself, whole.
func (s *Service) PutApp(ctx context.Context, sub Subject, a App) error {
	if err := Allowed(sub, ActAssignClients, Target{}); err != nil {
		return err
	}
	if !sub.serves(a.Key) {
		return notFound(resources.TypeApp)
	}
	if !slug(a.Key) {
		return invalid("key", "malformed", "must be 1 to 50 of a-z, 0-9, dots and hyphens")
	}
	if len(a.Effects) > maxEffects {
		return invalid("effects", "too_many", "must be at most %d", maxEffects)
	}
	for i, e := range a.Effects {
		if !slug(e.ID) || !slices.Contains([]string{"cancels", "keeps", "deletes"}, e.Verb) || strings.TrimSpace(e.Text) == "" {
			return invalid(fmt.Sprintf("effects[%d]", i), "malformed", "needs an id, a verb of cancels, keeps and deletes, and a text")
		}
		if slices.ContainsFunc(a.Effects[:i], func(o Effect) bool { return o.ID == e.ID }) {
			return invalid(fmt.Sprintf("effects[%d].id", i), "duplicate", "is the id of an effect before it")
		}
	}
	if err := a.checkWorkTypes(); err != nil {
		return err
	}
	apps, err := s.apps(ctx, sub.Org)
	if err != nil {
		return err
	}
	if len(apps) >= maxApps && !slices.ContainsFunc(apps, func(o App) bool { return o.Key == a.Key }) {
		return conflict("too_many", "an organization has at most %d applications", maxApps)
	}
	k, now := appKey(sub.Org, a.Key), s.now()
	_, err = change(ctx, s, s.store, sub.Caller, k, now, func(r *record[App]) error { r.Value = a; return nil })
	if errors.Is(err, storage.ErrNotFound) {
		_, err = s.insert(ctx, s.store, sub.Caller, k, now, a, nil)
	}
	if errors.Is(err, storage.ErrExists) {
		err = storage.ErrContention
	}
	return fail(resources.TypeApp, err)
}

func slug(text string) bool {
	if text == "" || len(text) > 50 {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
	})
}

func (s *Service) apps(ctx context.Context, org scim.OrgID) ([]App, error) {
	list, err := find[App](ctx, s, org, resources.TypeApp, nil, maxApps+1)
	if err != nil {
		return nil, fail(resources.TypeApp, err)
	}
	apps := make([]App, len(list))
	for i, r := range list {
		apps[i] = r.Value
	}
	slices.SortFunc(apps, func(a, b App) int { return strings.Compare(a.Key, b.Key) })
	return apps, nil
}

// Apps lists the applications, by key.
func (s *Service) Apps(ctx context.Context, sub Subject) ([]App, error) {
	if err := Allowed(sub, ActReadMembers, Target{}); err != nil {
		return nil, err
	}
	return s.apps(ctx, sub.Org)
}

// RemovalEffects are the statements that removing somebody takes: what Rollcall does, then what applications do.
func (s *Service) RemovalEffects(ctx context.Context, sub Subject) (Statements, error) {
	if err := Allowed(sub, ActReadMembers, Target{}); err != nil {
		return Statements{}, err
	}
	return s.statements(ctx, sub.Org)
}

func (s *Service) statements(ctx context.Context, org scim.OrgID) (Statements, error) {
	set, _, err := s.Settings(ctx, org)
	if err != nil {
		return Statements{}, err
	}
	apps, err := s.apps(ctx, org)
	if err != nil {
		return Statements{}, err
	}
	back := "Removing cannot be undone."
	if n := set.Members.RemoveRetention / day; n > 0 {
		back = fmt.Sprintf("Access ends at once. Administrators can bring the person back for %d days; then it cannot be undone.", n)
	}
	list := []Statement{
		{ID: "undo", Verb: "deletes", Text: back},
		{ID: "profile", Verb: "deletes", Text: "All profile information, roles and group memberships are deleted."},
		{ID: "records", Verb: "keeps", Text: "Everything else that the person made stays where it is, under their name."},
	}
	clients, err := s.clientStatement(ctx, org, set)
	if err != nil {
		return Statements{}, err
	}
	list = append(list, clients...)
	for _, a := range apps {
		for _, e := range a.Effects {
			list = append(list, Statement{ID: a.Key + "/" + e.ID, App: a.Display, Verb: e.Verb, Text: e.Text})
		}
	}
	h := sha256.New()
	for _, st := range list {
		fmt.Fprintf(h, "%q %q %q\n", st.ID, st.Verb, st.Text)
	}
	return Statements{Version: hex.EncodeToString(h.Sum(nil)[:8]), Statements: list}, nil
}

// acknowledged refuses a removal whose statements were not all acknowledged, or have changed since they were shown.
func (s *Service) acknowledged(ctx context.Context, org scim.OrgID, r Removal) error {
	st, err := s.statements(ctx, org)
	if err != nil {
		return err
	}
	if r.EffectsVersion != st.Version {
		return conflict("effects_changed", "what a removal does has changed: read the removal effects again and acknowledge them")
	}
	for _, want := range st.Statements {
		if !slices.Contains(r.Acknowledge, want.ID) {
			return invalid("acknowledge", "not_acknowledged", "must name every statement of the removal effects; %q is missing", want.ID)
		}
	}
	return nil
}
