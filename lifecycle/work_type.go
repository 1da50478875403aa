package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// WorkType is a kind of things that an application keeps for people, such as conversations or templates. Rollcall does not
// have them: it asks the application what there is, and to give it to somebody else.
type WorkType struct {
	Key                 string   `json:"key" minLength:"1" maxLength:"50" pattern:"^[a-z0-9][a-z0-9.-]*$"`
	Display             string   `json:"display" minLength:"1" maxLength:"100"`
	Itemised            bool     `json:"itemised,omitempty" doc:"The application lists the things one by one; else they are handed over all together."`
	NeedsSameSubAccount bool     `json:"needsSameSubAccount,omitempty" doc:"Who gets them must belong to the sub-account of the thing, or to one of the person's."`
	ReceiverMust        []string `json:"receiverMust,omitempty" maxItems:"10" nullable:"false" doc:"Permissions that who gets them must have."`
	Undo                bool     `json:"undo,omitempty" doc:"The application can give a thing back when a transfer is cancelled."`
}

// Bounds of work types.
const (
	maxWorkTypes    = 20 // of one application
	maxReceiverMust = 10
)

// directoryApp is the name under which what Rollcall itself hands over stands among the applications.
const directoryApp = "directory"

// What Rollcall itself hands over.
const (
	workClients = "clients"       // whom the person looks after
	workReports = "reports"       // whose manager the person is
	workInvites = "invites"       // open ones that the person sent
	workJoins   = "join-requests" // open ones that the person made for others
)

func directoryTypes() []WorkType {
	return []WorkType{
		{Key: workClients, Display: "Clients", NeedsSameSubAccount: true},
		{Key: workReports, Display: "People managed"},
		{Key: workInvites, Display: "Open invites"},
		{Key: workJoins, Display: "Open join requests"},
	}
}

func (a *App) checkWorkTypes() error {
	if a.Key == directoryApp {
		return invalid("key", "reserved", "stands for what Rollcall itself hands over")
	}
	if len(a.WorkTypes) > maxWorkTypes {
		return invalid("workTypes", "too_many", "must be at most %d", maxWorkTypes)
	}
	for i, w := range a.WorkTypes {
		path := fmt.Sprintf("workTypes[%d]", i)
		switch {
		case !slug(w.Key) || strings.TrimSpace(w.Display) == "" || utf8.RuneCountInString(w.Display) > 100:
			return invalid(path, "malformed", "needs a key of a-z, 0-9, dots and hyphens, and a name of up to 100 characters")
		case slices.ContainsFunc(a.WorkTypes[:i], func(o WorkType) bool { return o.Key == w.Key }):
			return invalid(path+".key", "duplicate", "is the key of a work type before it")
		case len(w.ReceiverMust) > maxReceiverMust || slices.ContainsFunc(w.ReceiverMust, func(p string) bool { return p == "" || len(p) > 200 }):
			return invalid(path+".receiverMust", "malformed", "must be at most %d permissions", maxReceiverMust)
		}
	}
	return nil
}

// WorkTypes lists what of a person's work can be handed over: by the directory itself, then by applications.
func (s *Service) WorkTypes(ctx context.Context, sub Subject) ([]App, error) {
	if err := Allowed(sub, ActReadMembers, Target{}); err != nil {
		return nil, err
	}
	return s.workTypes(ctx, sub)
}

func (s *Service) workTypes(ctx context.Context, sub Subject) ([]App, error) {
	apps, err := s.apps(ctx, sub.Org)
	if err != nil {
		return nil, err
	}
	list := []App{{Key: directoryApp, Display: "Rollcall", Effects: []Effect{}, WorkTypes: directoryTypes()}}
	return append(list, slices.DeleteFunc(apps, func(a App) bool { return len(a.WorkTypes) == 0 })...), nil
}
