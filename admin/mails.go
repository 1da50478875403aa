package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/mail"
	"rollcall/scim"
)

const mailTag = "Mail"

// Mail is what became of a letter: not what it said or to whom.
type Mail struct {
	ID        string     `json:"id" format:"uuid"`
	Kind      string     `json:"kind" doc:"Which message it is."`
	State     string     `json:"state" enum:"queued,sending,sent,deferred,failed,expired,suppressed,bouncedHard,bouncedSoft,complained"`
	Created   time.Time  `json:"created"`
	Due       *time.Time `json:"due,omitempty" doc:"When the next attempt comes."`
	Attempts  int        `json:"attempts"`
	About     string     `json:"about,omitempty" doc:"Id of the invite, user or request that it is about."`
	AboutType string     `json:"aboutType,omitempty"`
	Code      int        `json:"code,omitempty" doc:"Reply code of the receiving mail server."`
	Status    string     `json:"status,omitempty" doc:"Its enhanced status code (RFC 3463)."`
	Detail    string     `json:"detail,omitempty" doc:"What it said."`
	AutoReply bool       `json:"autoReply" doc:"An automatic reply came back."`
}

func (a *API) mailEndpoints() {
	handle(a, operation{
		id: "list-mails", method: http.MethodGet, path: "/mails", tag: mailTag, summary: "Mails and what became of them, the newest first",
	}, a.listMails)
	handle(a, operation{
		id: "get-mail-sender", method: http.MethodGet, path: "/mail-sender", tag: mailTag,
		summary: "Whom people must look for who miss a mail",
		detail:  "The sender and the subjects of the messages that people wait for, as they would be sent now: tell them to look for these, also among unwanted mail.",
	}, func(ctx context.Context, c *Call, in *localeInput) (*senderOutput, error) {
		s, err := a.Post.Sender(ctx, c.Subject, mail.Locale(in.Locale))
		if err != nil {
			return nil, err
		}
		out := &senderOutput{}
		out.Body.Name, out.Body.Address = s.Name, s.Address
		for _, x := range s.Subjects {
			out.Body.Messages = append(out.Body.Messages, MessageSubject{string(x.Kind), x.Subject})
		}
		return out, nil
	})
	handle(a, operation{
		id: "send-welcome", method: http.MethodPost, path: "/members/{id}/actions/send-welcome", tag: membersTag,
		scope: scim.ScopeAdminMembers, summary: "Mail the welcome to a member", status: http.StatusAccepted,
		detail: "For `welcome.mode` manual, for members whom a client has made, and for whoever has lost it. Once a minute.",
	}, func(ctx context.Context, c *Call, in *MemberPath) (*welcomeOutput, error) {
		to, err := a.Lifecycle.SendWelcome(ctx, c.Subject, in.ID)
		if err != nil {
			return nil, err
		}
		out := &welcomeOutput{}
		out.Body.SentTo = to
		return out, nil
	})
	handle(a, operation{
		id: "opt-out-of-mail", method: http.MethodPost, path: "/public/mail-optouts", tag: publicTag, access: forAll,
		summary: "Refuse invitations and reminders", status: http.StatusNoContent,
		detail: "By the link of such a mail, from every organization. What people ask for themselves, such as a password reset, still comes.",
	}, func(ctx context.Context, c *Call, in *optOutInput) (*struct{}, error) {
		return nil, a.Lifecycle.OptOut(ctx, visitor(c), a.Post, in.Body.Mail, in.Body.Token)
	})
	handle(a, operation{
		id: "release-address", method: http.MethodPost, path: "/operator/mail-suppressions/actions/release", tag: operatorTag,
		access: forOperators, summary: "Let mail go to an address again", status: http.StatusNoContent,
		detail: "For an address that bounced, complained, or was opted out, when that is cleared up.",
	}, func(ctx context.Context, c *Call, in *releaseInput) (*struct{}, error) {
		return nil, a.Lifecycle.LetIn(ctx, c.Subject, in.Body.Email)
	})
}

type welcomeOutput struct {
	Body struct {
		SentTo string `json:"sentTo" doc:"The address, most of it hidden."`
	}
}

type listMailsInput struct {
	Cursor string `query:"cursor" maxLength:"4096" doc:"The next of the page before; empty for the first."`
	Count  int    `query:"count" minimum:"1" maximum:"200" default:"100" doc:"Most items of the page."`
	State  string `query:"state" enum:"queued,sending,sent,deferred,failed,expired,suppressed,bouncedHard,bouncedSoft,complained"`
	About  string `query:"about" maxLength:"36" doc:"Id of what they are about."`
}

type mailsOutput struct {
	Body struct {
		Items []Mail `json:"items" nullable:"false"`
		Next  string `json:"next,omitempty" doc:"Cursor of the next page; none after the last."`
	}
}

func (a *API) listMails(ctx context.Context, c *Call, in *listMailsInput) (*mailsOutput, error) {
	of, before := "mails\x00"+in.State+"\x00"+in.About, ""
	after, err := openCursor[string](a, c, of, in.Cursor)
	if err != nil {
		return nil, err
	}
	if after != nil {
		before = *after
	}
	list, more, err := a.Post.ReadMails(ctx, c.Subject, lifecycle.MailQuery{State: in.State, About: in.About, Before: before, Count: in.Count})
	if err != nil {
		return nil, err
	}
	out := &mailsOutput{}
	out.Body.Items = make([]Mail, len(list))
	for i, m := range list {
		out.Body.Items[i] = Mail{
			ID: m.ID, Kind: m.Kind, State: m.State, Created: m.Created, Due: present(m.Due), Attempts: m.Attempts, About: m.About,
			AboutType: string(m.AboutType), Code: m.Code, Status: m.Status, Detail: m.Detail, AutoReply: m.AutoReply,
		}
	}
	if more {
		out.Body.Next, err = sealCursor(a, c, of, list[len(list)-1].ID)
	}
	return out, err
}

type localeInput struct {
	Locale string `query:"locale" enum:"en,de" default:"en"`
}

// MessageSubject is the subject of a message.
type MessageSubject struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
}

type senderOutput struct {
	Body struct {
		Name     string           `json:"name,omitempty"`
		Address  string           `json:"address,omitempty" doc:"Absent if the server sends no mail."`
		Messages []MessageSubject `json:"messages" nullable:"false"`
	}
}

type optOutInput struct {
	Body struct {
		Mail  string `json:"mail" maxLength:"36" doc:"Id of the mail, as the link has it."`
		Token string `json:"token" maxLength:"128" doc:"Of the link."`
	}
}

type releaseInput struct {
	Body struct {
		Email string `json:"email" maxLength:"1024"`
	}
}
