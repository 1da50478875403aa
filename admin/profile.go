package admin

import (
	"context"
	"net/http"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// NameParts are the parts of a name that is to be changed.
type NameParts struct {
	GivenName  *string `json:"givenName,omitempty" maxLength:"100"`
	FamilyName *string `json:"familyName,omitempty" maxLength:"100"`
}

// ProfileBody is what a profile is to say. What is left out stays, an empty text takes away.
type ProfileBody struct {
	Name        *NameParts `json:"name,omitempty"`
	DisplayName *string    `json:"displayName,omitempty" maxLength:"200" doc:"Follows the name unless it says something else."`
	Title       *string    `json:"title,omitempty" maxLength:"200"`
	PhoneNumber *string    `json:"phoneNumber,omitempty" maxLength:"50"`
	Locale      *string    `json:"locale,omitempty" maxLength:"35" doc:"Such as de-DE."`
	Timezone    *string    `json:"timezone,omitempty" maxLength:"64" doc:"Such as Europe/Berlin."`
}

func (b *ProfileBody) change() lifecycle.ProfileChange {
	ch := lifecycle.ProfileChange{
		DisplayName: b.DisplayName, Title: b.Title, PhoneNumber: b.PhoneNumber, Locale: b.Locale, Timezone: b.Timezone,
	}
	if b.Name != nil {
		ch.GivenName, ch.FamilyName = b.Name.GivenName, b.Name.FamilyName
	}
	return ch
}

// ShownProfile is what somebody tells about themselves.
type ShownProfile struct {
	Name        *PersonName `json:"name,omitempty"`
	DisplayName string      `json:"displayName,omitempty"`
	Title       string      `json:"title,omitempty"`
	Email       string      `json:"email,omitempty"`
	PhoneNumber string      `json:"phoneNumber,omitempty"`
	Photo       string      `json:"photo,omitempty" doc:"URL of the picture."`
	Locale      string      `json:"locale,omitempty"`
	Timezone    string      `json:"timezone,omitempty"`
	Complete    int         `json:"complete" minimum:"0" maximum:"100" doc:"How much of it is filled in, in percent."`
	Missing     []string    `json:"missing" nullable:"false" doc:"What is not: givenName, familyName, email, phoneNumber, photo, title, occupation."`
}

func showProfile(p *lifecycle.ProfileOf) ShownProfile {
	out := ShownProfile{
		DisplayName: p.DisplayName, Title: p.Title, Email: p.Email, PhoneNumber: p.PhoneNumber, Photo: p.Photo, Locale: p.Locale,
		Timezone: p.Timezone, Complete: p.Completeness, Missing: p.Missing,
	}
	if p.GivenName != "" || p.FamilyName != "" {
		out.Name = &PersonName{GivenName: p.GivenName, FamilyName: p.FamilyName}
	}
	return out
}

// Member is a member with their profile.
type Member struct {
	MemberInfo
	Profile ShownProfile `json:"profile"`
}

type profileOutput struct {
	ETag string `header:"ETag"`
	Body Member
}

func (a *API) profileEndpoints() {
	handle(a, operation{
		id: "get-member", method: http.MethodGet, path: "/members/{id}", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "A member and their profile",
	}, func(ctx context.Context, c *Call, in *MemberPath) (*profileOutput, error) {
		p, err := a.Lifecycle.Person(ctx, c.Subject, in.ID)
		return a.profileAnswer(c, p, err)
	})
	handle(a, operation{
		id: "change-member", method: http.MethodPatch, path: "/members/{id}", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Change the profile of a member", conditional: true,
		detail: "All of it is stored at once or nothing. What an identity provider has the say over is refused, 409 " +
			"`attribute_managed`, unless it stays as it is.",
	}, func(ctx context.Context, c *Call, in *changeProfileInput) (*profileOutput, error) {
		p, err := a.Lifecycle.ChangeProfile(ctx, c.Subject, in.ID, c.If, in.Body.change())
		return a.profileAnswer(c, p, err)
	})
	handle(a, operation{
		id: "change-me", method: http.MethodPatch, path: "/me", tag: "Me", summary: "Change my profile", conditional: true,
	}, func(ctx context.Context, c *Call, in *changeMeInput) (*meOutput, error) {
		if _, err := a.Lifecycle.ChangeProfile(ctx, c.Subject, c.Subject.User, c.If, in.Body.change()); err != nil {
			return nil, err
		}
		return a.getMe(ctx, c, nil)
	})
}

type changeProfileInput struct {
	MemberPath
	Body ProfileBody
}

type changeMeInput struct{ Body ProfileBody }

func (a *API) profileAnswer(c *Call, p *lifecycle.Person, err error) (*profileOutput, error) {
	if err != nil {
		return nil, err
	}
	facts, err := a.Lifecycle.FactsFor(c.Subject, p)
	if err != nil {
		return nil, err
	}
	profile := p.Profile()
	return &profileOutput{ETag: scim.ETag(p.Version), Body: Member{showMember(p.ID, facts), showProfile(&profile)}}, nil
}
