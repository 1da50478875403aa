package lifecycle

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Settings are what an organization has decided, its plan and its status. Durations are whole seconds.
type Settings struct {
	Status   string   `json:"status"` // active, suspended, closing
	Plan     Plan     `json:"plan"`
	Branding Branding `json:"branding"`

	Invite      InviteSettings     `json:"invite"`
	Domains     DomainSettings     `json:"domains"`
	Join        JoinSettings       `json:"join"`
	Members     MemberSettings     `json:"members"`
	Clients     ClientSettings     `json:"clients,omitzero"`
	Transfers   TransferSettings   `json:"transfers,omitzero"`
	Occupation  OccupationSettings `json:"occupation"`
	Passwords   PasswordSettings   `json:"passwords"`
	Welcome     WelcomeSettings    `json:"welcome"`
	Provision   ProvisionSettings  `json:"provisioning"`
	SeatsFreeOn string             `json:"seatsFreeOn" enum:"deactivate,remove" doc:"When a seat becomes free: deactivate or remove"`
}

// Plan is what the operator sells: data that Rollcall enforces.
type Plan struct {
	Key      string   `json:"key"`
	Features []string `json:"features,omitempty"` // empty: all
	Seats    Seats    `json:"seats"`

	InvitesPerDay int `json:"invitesPerDay,omitempty" minimum:"0" maximum:"1000000" doc:"How many people may be invited in 24 hours; 0: what is usual"`
}

// Seats bound how many people an organization may have. A limit of 0 is none.
type Seats struct {
	Limit        int  `json:"limit"`
	CountPending bool `json:"countPending"`
}

// Branding is how the organization shows itself, on pages and in mails.
type Branding struct {
	Name         string `json:"name,omitempty" maxLength:"200" doc:"What people see it called; empty: the name that the operator gave it"`
	Logo         string `json:"logo,omitempty" maxLength:"2000" doc:"https URL of a picture"`
	Color        string `json:"color,omitempty" maxLength:"7" doc:"As #1a2b3c"`
	MailFromName string `json:"mailFromName,omitempty" maxLength:"100" doc:"Name beside the sender's address of mails"`
}

// InviteSettings say how people are invited.
type InviteSettings struct {
	TTL               int    `json:"ttlSeconds" minimum:"3600" maximum:"2592000"`
	ResendRestartsTTL bool   `json:"resendRestartsTtl"`
	RequireName       bool   `json:"requireName"`
	DefaultRole       string `json:"defaultRole"`
	OnDuplicate       string `json:"onDuplicate" enum:"skip,resend,replace,fail"`
	MaxPending        int    `json:"maxPending" minimum:"1" maximum:"100000"`
	LinkSharing       string `json:"linkSharing" enum:"off,verified,open"`
	OnInviterLeaves   string `json:"onInviterLeaves" enum:"keep,revoke,keepLowRevokeHigh"`
	Approval          string `json:"approval" enum:"none,belowAdmin"`
	ByManagers        bool   `json:"byManagers"`
	ByMembers         bool   `json:"byMembers"`
}

// DomainSettings say which addresses may be invited.
type DomainSettings struct {
	Allowed         []string `json:"allowed,omitempty"` // empty: any
	Blocked         []string `json:"blocked,omitempty"`
	BlockDisposable bool     `json:"blockDisposable"`
	DisposableExtra []string `json:"disposableExtra,omitempty"`
}

// JoinSettings say who may ask to join.
type JoinSettings struct {
	Policy       string `json:"policy" enum:"closed,request,domainRequest,domainAuto"`
	RequestTTL   int    `json:"requestTtlSeconds" minimum:"86400" maximum:"7776000"`
	ReapplyAfter int    `json:"reapplyAfterSeconds" minimum:"0" maximum:"7776000"`
	Floor        int    `json:"floor" minimum:"0" maximum:"1000"`
	ByManagers   bool   `json:"byManagers" doc:"Whether managers decide join requests"`
}

// MemberSettings say what is kept of people who left.
type MemberSettings struct {
	RemoveRetention   int `json:"removeRetentionSeconds" minimum:"0" maximum:"15552000"`
	DeactivatedReview int `json:"deactivatedReviewSeconds" minimum:"0" maximum:"31536000"` // 0: off
}

// ClientSettings say what becomes of the clients of people who leave.
type ClientSettings struct {
	FallbackOwner string `json:"fallbackOwner,omitempty" maxLength:"36" doc:"Id of the member who gets the clients of people who are removed; empty: they must be reassigned first."`
}

// TransferSettings say how the work of people is handed over.
type TransferSettings struct {
	FourEyes bool `json:"fourEyes,omitempty" doc:"Whether somebody else must approve a transfer before it runs."`
}

// OccupationSettings say whether people choose their occupation.
type OccupationSettings struct {
	SelfService bool   `json:"selfService"`
	Unknown     string `json:"unknown" enum:"reject,keepAsText,create,mapToDefault"`
	Default     string `json:"default,omitempty"`
}

// PasswordSettings say how passwords are reset.
type PasswordSettings struct {
	Mode       string `json:"mode" enum:"off,link,local" doc:"link: an application sets passwords and learns that the mailbox was proved; local: Rollcall keeps their hashes; off: people sign in elsewhere"`
	Page       string `json:"page,omitempty" maxLength:"500" doc:"URL of the page that reset links lead to; Rollcall's own without"`
	Elsewhere  string `json:"elsewhere,omitempty" maxLength:"500" doc:"URL of the page where people reset their passwords if the mode is off"`
	AdminLinks bool   `json:"adminLinks,omitempty" doc:"Administrators may be given reset links to hand out"`
}

// WelcomeSettings say whether people are welcomed by mail.
type WelcomeSettings struct {
	Mode string `json:"mode" enum:"off,auto,manual"`
}

// ProvisionSettings say how identity providers and administrators share the work; a connection may say otherwise.
type ProvisionSettings struct {
	Authority     string `json:"authority" enum:"strict,claimed,shared"`
	DeletedReturn string `json:"deletedReturn" enum:"restore,newId"`

	OutsidersNeedConsent bool `json:"outsidersNeedConsent,omitempty" doc:"Whether people whom a client makes, and whose address is of none of the verified domains, are asked by mail before they come in."`
}

const day = 24 * 60 * 60 // seconds

// DefaultSettings are those of an organization that has decided nothing.
func DefaultSettings() Settings {
	return Settings{
		Status: "active",
		Plan:   Plan{Key: "default", Seats: Seats{CountPending: true}},
		Invite: InviteSettings{
			TTL: 7 * day, ResendRestartsTTL: true, DefaultRole: "member", OnDuplicate: "skip", MaxPending: 500,
			LinkSharing: "verified", OnInviterLeaves: "keepLowRevokeHigh", Approval: "none",
		},
		Domains:     DomainSettings{BlockDisposable: true},
		Join:        JoinSettings{Policy: "closed", RequestTTL: 14 * day, ReapplyAfter: 7 * day, Floor: 1},
		Members:     MemberSettings{RemoveRetention: 30 * day, DeactivatedReview: 90 * day},
		Occupation:  OccupationSettings{SelfService: true, Unknown: "keepAsText"},
		Passwords:   PasswordSettings{Mode: "link"},
		Welcome:     WelcomeSettings{Mode: "auto"},
		Provision:   ProvisionSettings{Authority: "claimed", DeletedReturn: "restore"},
		SeatsFreeOn: "deactivate",
	}
}

// seconds is a setting as a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func settingsKey(org scim.OrgID) storage.Key {
	return storage.Key{Org: org, Type: resources.TypeSettings, ID: idOf("settings", string(org))}
}

// Settings returns what an organization has decided, and the version for If-Match; 0 if it has decided nothing yet.
func (s *Service) Settings(ctx context.Context, org scim.OrgID) (Settings, int64, error) {
	return s.settings(ctx, s.store, org)
}

func (s *Service) settings(ctx context.Context, g getter, org scim.OrgID) (Settings, int64, error) {
	r, err := load[Settings](ctx, g, settingsKey(org))
	switch {
	case err != nil:
		return Settings{}, 0, fail(resources.TypeSettings, err)
	case r == nil:
		return DefaultSettings(), 0, nil
	}
	return r.Value, r.Version, nil
}

// ChangeSettings stores what fn makes of the settings, checked. With a version that is not 0 it is refused, 412, if they
// have another.
// Open invites end when the organization closes, or has a plan for one person.
func (s *Service) ChangeSettings(ctx context.Context, sub Subject, version int64, fn func(*Settings) error) (Settings, int64, error) {
	out, version, err := s.storeSettings(ctx, sub, version, fn)
	switch {
	case err != nil:
	case out.Status == "closing":
		_, err = s.revokeAllInvites(ctx, sub.Caller, "organization_closing")
	case !out.Plan.Has(featureMultiUser):
		_, err = s.revokeAllInvites(ctx, sub.Caller, "plan_required")
	}
	return out, version, err
}

func (s *Service) storeSettings(ctx context.Context, sub Subject, version int64, fn func(*Settings) error) (Settings, int64, error) {
	var out Settings
	edit := func(v *Settings, has int64) error {
		if version != 0 && version != has {
			return scim.PreconditionFailed()
		}
		if err := fn(v); err != nil {
			return err
		}
		out = *v
		return v.check()
	}
	k, at := settingsKey(sub.Org), s.now()
	defer s.snapshots.forget(sub.Org)
	for {
		rec, err := change(ctx, s, s.store, sub.Caller, k, at, func(r *record[Settings]) error { return edit(&r.Value, r.Version) })
		if err == nil {
			return out, rec.Version, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return Settings{}, 0, fail(resources.TypeSettings, err)
		}
		v := DefaultSettings()
		if err := edit(&v, 0); err != nil {
			return Settings{}, 0, err
		}
		if rec, err = s.insert(ctx, s.store, sub.Caller, k, at, v, nil); err == nil {
			return out, rec.Version, nil
		}
		if !errors.Is(err, storage.ErrExists) { // another process was first: its record is there now
			return Settings{}, 0, fail(resources.TypeSettings, err)
		}
	}
}

// check refuses settings outside of their ranges.
func (v *Settings) check() error {
	within := func(path string, n, low, high int) error {
		if n < low || n > high {
			return invalid(path, "out_of_range", "must be %d to %d", low, high)
		}
		return nil
	}
	oneOf := func(path, value string, allowed ...string) error {
		if !slices.Contains(allowed, value) {
			return invalid(path, "not_a_choice", "must be one of %s", strings.Join(allowed, ", "))
		}
		return nil
	}
	return firstError(
		v.Branding.check(),
		oneOf("status", v.Status, "active", "suspended", "closing"),
		within("plan.seats.limit", v.Plan.Seats.Limit, 0, 10_000_000),
		within("plan.invitesPerDay", v.Plan.InvitesPerDay, 0, 1_000_000),
		within("invite.ttlSeconds", v.Invite.TTL, 3600, 30*day),
		oneOf("invite.onDuplicate", v.Invite.OnDuplicate, "skip", "resend", "replace", "fail"),
		within("invite.maxPending", v.Invite.MaxPending, 1, 100_000),
		oneOf("invite.linkSharing", v.Invite.LinkSharing, "off", "verified", "open"),
		oneOf("invite.onInviterLeaves", v.Invite.OnInviterLeaves, "keep", "revoke", "keepLowRevokeHigh"),
		oneOf("invite.approval", v.Invite.Approval, "none", "belowAdmin"),
		oneOf("join.policy", v.Join.Policy, "closed", "request", "domainRequest", "domainAuto"),
		within("join.requestTtlSeconds", v.Join.RequestTTL, day, 90*day),
		within("join.reapplyAfterSeconds", v.Join.ReapplyAfter, 0, 90*day),
		within("join.floor", v.Join.Floor, 0, 1000),
		within("members.removeRetentionSeconds", v.Members.RemoveRetention, 0, 180*day),
		within("members.deactivatedReviewSeconds", v.Members.DeactivatedReview, 0, 365*day),
		oneOf("occupation.unknown", v.Occupation.Unknown, "reject", "keepAsText", "create", "mapToDefault"),
		oneOf("passwords.mode", v.Passwords.Mode, "off", "link", "local"),
		webPage("passwords.page", v.Passwords.Page),
		webPage("passwords.elsewhere", v.Passwords.Elsewhere),
		oneOf("welcome.mode", v.Welcome.Mode, "off", "auto", "manual"),
		oneOf("provisioning.authority", v.Provision.Authority, "strict", "claimed", "shared"),
		oneOf("provisioning.deletedReturn", v.Provision.DeletedReturn, "restore", "newId"),
		oneOf("seatsFreeOn", v.SeatsFreeOn, "deactivate", "remove"),
	)
}

// webPage refuses what is no absolute address of a page; empty is none.
func webPage(path, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > 500 || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(text, " \"<>\\#") {
		return invalid(path, "malformed", "must be an absolute http or https URL of at most 500 characters, without a fragment")
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Has reports whether the plan includes a feature.
func (p Plan) Has(feature string) bool {
	return len(p.Features) == 0 || slices.Contains(p.Features, feature)
}
