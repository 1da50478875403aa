package admin

import (
	"context"
	"net/http"
	"time"
)

func (a *API) publicJoinEndpoints() {
	handle(a, operation{
		id: "ask-to-join", method: http.MethodPost, path: "/public/join-requests", tag: publicTag, access: forAll,
		summary: "Ask to be let in", status: http.StatusAccepted,
		detail: "Six digits are mailed to the address, which prove it. The answer is the same whether there is such an organization, " +
			"whether it takes requests, and whether it knows the person.",
	}, func(ctx context.Context, c *Call, in *askInput) (*askedOutput, error) {
		asked, err := a.Lifecycle.AskToJoin(ctx, visitor(c), in.Body.ask(in.Body.Org))
		if err != nil {
			return nil, err
		}
		out := &askedOutput{}
		out.Body.ID, out.Body.ExpiresAt = asked.ID, asked.ExpiresAt
		return out, nil
	})
	handle(a, operation{
		id: "verify-join-request", method: http.MethodPost, path: "/public/join-requests/{id}/actions/verify", tag: publicTag, access: forAll,
		summary: "Prove the address of a request", detail: "Nobody of the organization sees the request before.",
	}, func(ctx context.Context, c *Call, in *verifyInput) (*verifiedOutput, error) {
		o, err := a.Lifecycle.VerifyJoin(ctx, visitor(c), in.Body.Org, in.ID, in.Body.Code)
		if err != nil {
			return nil, err
		}
		out := &verifiedOutput{}
		out.Body.ID, out.Body.Status, out.Body.Token, out.Body.User = o.ID, o.Status, o.Token, o.User
		return out, nil
	})
	handle(a, operation{
		id: "withdraw-join-request", method: http.MethodPost, path: "/public/join-requests/{id}/actions/withdraw", tag: publicTag, access: forAll,
		summary: "Take a request back",
	}, func(ctx context.Context, c *Call, in *withdrawInput) (*struct{}, error) {
		return nil, a.Lifecycle.WithdrawJoin(ctx, visitor(c), in.Body.Org, in.ID, in.Body.Token)
	})
}

type askInput struct {
	Body struct {
		Org string `json:"org" minLength:"1" maxLength:"64" doc:"Slug or id of the organization."`
		JoinAskBody
	}
}

type askedOutput struct {
	Body struct {
		ID        string    `json:"id" format:"uuid" doc:"To send with the digits."`
		ExpiresAt time.Time `json:"expiresAt" doc:"Until when the digits work."`
	}
}

type verifyInput struct {
	JoinPath
	Body struct {
		Org  string `json:"org" maxLength:"64"`
		Code string `json:"code" maxLength:"10" doc:"The six digits that were mailed."`
	}
}

type verifiedOutput struct {
	Body struct {
		ID     string `json:"id" format:"uuid"`
		Status string `json:"status" enum:"pending,approved" doc:"approved if the organization lets people of its domains in."`
		Token  string `json:"token" doc:"Takes the request back; shown this once."`
		User   string `json:"user,omitempty" doc:"Id of the member who was let in."`
	}
}

type withdrawInput struct {
	JoinPath
	Body struct {
		Org   string `json:"org" maxLength:"64"`
		Token string `json:"token" maxLength:"128"`
	}
}
