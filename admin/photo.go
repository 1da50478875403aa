package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/lifecycle"
	"rollcall/scim"
)

func (a *API) photoEndpoints() {
	const detail = "A JPEG, PNG, GIF (its first frame) or WebP of at most 5 MiB and 16 million pixels; what it is decides, not what it is " +
		"called. It is turned upright, made smaller, and kept without anything else that the file says. The URL is in `profile.photo`."
	handle(a, operation{
		id: "set-my-photo", method: http.MethodPut, path: "/me/photo", tag: "Me", summary: "Upload my picture", detail: detail,
		body: lifecycle.MaxPhoto, conditional: true,
	}, func(ctx context.Context, c *Call, in *myPhotoInput) (*meOutput, error) {
		if _, err := a.Lifecycle.SetPhoto(ctx, c.Subject, c.Subject.User, c.If, in.RawBody); err != nil {
			return nil, err
		}
		return a.getMe(ctx, c, nil)
	})
	handle(a, operation{
		id: "remove-my-photo", method: http.MethodDelete, path: "/me/photo", tag: "Me", summary: "Take my picture away", conditional: true,
	}, func(ctx context.Context, c *Call, _ *struct{}) (*struct{}, error) {
		return nil, a.Lifecycle.RemovePhoto(ctx, c.Subject, c.Subject.User, c.If)
	})
	handle(a, operation{
		id: "set-member-photo", method: http.MethodPut, path: "/members/{id}/photo", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Upload a picture of a member", detail: detail, body: lifecycle.MaxPhoto, conditional: true,
	}, func(ctx context.Context, c *Call, in *memberPhotoInput) (*profileOutput, error) {
		p, err := a.Lifecycle.SetPhoto(ctx, c.Subject, in.ID, c.If, in.RawBody)
		return a.profileAnswer(c, p, err)
	})
	handle(a, operation{
		id: "remove-member-photo", method: http.MethodDelete, path: "/members/{id}/photo", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "Take the picture of a member away", conditional: true,
	}, func(ctx context.Context, c *Call, in *MemberPath) (*struct{}, error) {
		return nil, a.Lifecycle.RemovePhoto(ctx, c.Subject, in.ID, c.If)
	})
	a.photoDownload()
}

func (a *API) photoDownload() {
	o := operation{
		id: "get-member-photo", method: http.MethodGet, path: "/members/{id}/photo", tag: membersTag, scope: scim.ScopeAdminMembers,
		summary: "The uploaded picture of a member",
		detail:  "Whoever has the URL of this version may keep the picture for a day. Pictures that are elsewhere are not served.",
	}
	op := a.describe(&o)
	op.Responses["200"] = &huma.Response{
		Description: "The picture.",
		Content:     map[string]*huma.MediaType{"image/jpeg": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *photoInput) (*photoOutput, error) {
		x := exchangeOf(ctx)
		p, err := a.Lifecycle.Photo(ctx, x.call().Subject, in.ID)
		if err != nil {
			return nil, x.refuse(err)
		}
		keep := "private, no-cache"
		if in.Version == p.Version {
			keep = "private, max-age=86400"
		}
		return &photoOutput{
			ETag: `"` + p.Version + `"`, Type: p.MediaType, Keep: keep, Disposition: "inline", Policy: "default-src 'none'; sandbox", Body: p.Data,
		}, nil
	})
}

type myPhotoInput struct {
	RawBody []byte `contentType:"image/*"`
}

type memberPhotoInput struct {
	MemberPath
	RawBody []byte `contentType:"image/*"`
}

type photoInput struct {
	MemberPath
	Version string `query:"v" maxLength:"36" doc:"The version that is meant, as the URL in the profile has it."`
}

type photoOutput struct {
	ETag        string `header:"ETag"`
	Type        string `header:"Content-Type"`
	Keep        string `header:"Cache-Control"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}
