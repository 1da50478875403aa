package admin

import (
	"context"
	"net/http"
	"time"

	"rollcall/lifecycle"
	"rollcall/scim"
)

const domainsTag = "Domains"

func (a *API) domainEndpoints() {
	op := func(id, method, path, summary string) operation {
		return operation{id: id, method: method, path: "/domains" + path, tag: domainsTag, summary: summary}
	}
	handle(a, op("list-domains", http.MethodGet, "", "List the organization's domains"), a.listDomains)
	add := op("add-domain", http.MethodPost, "", "Add a domain")
	add.status = http.StatusCreated
	add.detail = "Put the record of the answer into the DNS within 7 days, then verify. Domains where anybody gets an address are refused."
	handle(a, add, a.addDomain)
	handle(a, op("get-domain", http.MethodGet, "/{domain}", "Read a domain"), a.getDomain)
	change := op("change-domain", http.MethodPatch, "/{domain}", "Decide what a domain means for people with an address of it")
	change.conditional = true
	handle(a, change, a.changeDomain)
	remove := op("delete-domain", http.MethodDelete, "/{domain}", "Take a domain off the list")
	remove.conditional = true
	handle(a, remove, a.deleteDomain)
	verify := op("verify-domain", http.MethodPost, "/{domain}/actions/verify", "Look for a domain's proof in the DNS")
	verify.detail = "409 `proof_not_found` if it is not there yet, `proof_lapsed` after 7 days, `domain_contested` if another organization has the domain: the operator of the server decides then. The proof stays in the DNS: it is looked for every week, and a domain whose proof is missing twice is the organization's no more."
	handle(a, verify, a.verifyDomain)
	handle(a, op("renew-domain-proof", http.MethodPost, "/{domain}/actions/renew-proof", "Ask for another proof of a domain"), a.renewProof)

	handle(a, operation{
		id: "list-contested-domains", method: http.MethodGet, path: "/operator/contested-domains", tag: operatorTag,
		access: forOperators, summary: "List the domains that several organizations have proved",
	}, a.contestedDomains)
	handle(a, operation{
		id: "assign-domain", method: http.MethodPost, path: "/operator/domains/{domain}/actions/assign", tag: operatorTag,
		access: forOperators, summary: "Decide whose a contested domain is",
	}, a.assignDomain)
}

// DomainPath is embedded by the input of what is about one domain.
type DomainPath struct {
	Domain string `path:"domain" minLength:"1" maxLength:"253" doc:"The domain."`
}

// DomainInfo is a domain.
type DomainInfo struct {
	Domain            string      `json:"domain"`
	Status            string      `json:"status" enum:"pending,verified,contested,lost"`
	Record            ProofRecord `json:"record"`
	ProofUntil        *time.Time  `json:"proofUntil,omitempty" doc:"Until when the record proves the domain first."`
	VerifiedAt        *time.Time  `json:"verifiedAt,omitempty"`
	CheckedAt         *time.Time  `json:"checkedAt,omitempty"`
	Failures          int         `json:"failures" doc:"How often in a row the record was missing."`
	Capture           string      `json:"capture" enum:"none,suggest,request,auto,idpOnly" doc:"What people with an address of the domain may do once it is verified: what join.policy says; ask, unless that is closed; ask; come in; come by the identity provider only."`
	DefaultRole       string      `json:"defaultRole,omitempty" doc:"Of people who come in by themselves."`
	DefaultOccupation string      `json:"defaultOccupation,omitempty"`
}

// ProofRecord is what proves a domain.
type ProofRecord struct {
	Type  string `json:"type" enum:"TXT"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

type domainOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     DomainInfo
}

func domainInfo(d *lifecycle.Domain) DomainInfo {
	return DomainInfo{
		Domain: d.Domain, Status: d.Status, Record: ProofRecord{"TXT", d.RecordName, d.Proof}, ProofUntil: present(d.ProofUntil),
		VerifiedAt: present(d.VerifiedAt), CheckedAt: present(d.CheckedAt), Failures: d.Failures,
		Capture: d.Capture, DefaultRole: d.DefaultRole, DefaultOccupation: d.DefaultOccupation,
	}
}

func domainAnswer(d *lifecycle.Domain, err error) (*domainOutput, error) {
	if err != nil {
		return nil, err
	}
	return &domainOutput{ETag: scim.ETag(d.Version), Body: domainInfo(d)}, nil
}

type domainsOutput struct {
	Body struct {
		Items []DomainInfo `json:"items" nullable:"false"`
		Next  string       `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) listDomains(ctx context.Context, c *Call, in *PageInput) (*domainsOutput, error) {
	p, err := openCursor[string](a, c, "domains", in.Cursor)
	if err != nil {
		return nil, err
	}
	after := ""
	if p != nil {
		after = *p
	}
	list, more, err := a.Lifecycle.Domains(ctx, c.Subject, after, in.Count)
	if err != nil {
		return nil, err
	}
	out := &domainsOutput{}
	out.Body.Items = make([]DomainInfo, len(list))
	for i, d := range list {
		out.Body.Items[i] = domainInfo(d)
	}
	if more {
		out.Body.Next, err = sealCursor(a, c, "domains", list[len(list)-1].Domain)
	}
	return out, err
}

type addDomainInput struct {
	Body struct {
		Domain string `json:"domain" minLength:"1" maxLength:"253"`
	}
}

func (a *API) addDomain(ctx context.Context, c *Call, in *addDomainInput) (*domainOutput, error) {
	out, err := domainAnswer(a.Lifecycle.AddDomain(ctx, c.Subject, in.Body.Domain))
	if err == nil {
		out.Location = DefaultBasePath + "/domains/" + out.Body.Domain
	}
	return out, err
}

func (a *API) getDomain(ctx context.Context, c *Call, in *DomainPath) (*domainOutput, error) {
	return domainAnswer(a.Lifecycle.Domain(ctx, c.Subject, in.Domain))
}

type changeDomainInput struct {
	DomainPath
	Body struct {
		Capture           *string `json:"capture,omitempty" enum:"none,suggest,request,auto,idpOnly"`
		DefaultRole       *string `json:"defaultRole,omitempty" maxLength:"100"`
		DefaultOccupation *string `json:"defaultOccupation,omitempty" maxLength:"200"`
	}
}

func (a *API) changeDomain(ctx context.Context, c *Call, in *changeDomainInput) (*domainOutput, error) {
	return domainAnswer(a.Lifecycle.ChangeDomain(ctx, c.Subject, in.Domain, c.If, func(r *lifecycle.DomainRules) {
		set(&r.Capture, in.Body.Capture)
		set(&r.DefaultRole, in.Body.DefaultRole)
		set(&r.DefaultOccupation, in.Body.DefaultOccupation)
	}))
}

func (a *API) deleteDomain(ctx context.Context, c *Call, in *DomainPath) (*struct{}, error) {
	return nil, a.Lifecycle.DeleteDomain(ctx, c.Subject, in.Domain, c.If)
}

func (a *API) verifyDomain(ctx context.Context, c *Call, in *DomainPath) (*domainOutput, error) {
	return domainAnswer(a.Lifecycle.VerifyDomain(ctx, c.Subject, in.Domain))
}

func (a *API) renewProof(ctx context.Context, c *Call, in *DomainPath) (*domainOutput, error) {
	return domainAnswer(a.Lifecycle.RenewProof(ctx, c.Subject, in.Domain))
}

// ContestedDomain is a domain that several organizations have proved.
type ContestedDomain struct {
	Domain    string    `json:"domain"`
	Owner     string    `json:"owner" doc:"Id of the organization whose it is."`
	Since     time.Time `json:"since"`
	Claimants []string  `json:"claimants" nullable:"false" doc:"Ids of the others that have proved it."`
}

func contestedDomain(d *lifecycle.ContestedDomain) ContestedDomain {
	out := ContestedDomain{d.Domain, string(d.Owner), d.Since, []string{}}
	for _, o := range d.Claimants {
		out.Claimants = append(out.Claimants, string(o))
	}
	return out
}

type contestedOutput struct {
	Body struct {
		Items []ContestedDomain `json:"items" nullable:"false"`
		Next  string            `json:"next,omitempty" doc:"The cursor of the next page."`
	}
}

func (a *API) contestedDomains(ctx context.Context, c *Call, in *PageInput) (*contestedOutput, error) {
	p, err := openCursor[string](a, c, "contested", in.Cursor)
	if err != nil {
		return nil, err
	}
	after := ""
	if p != nil {
		after = *p
	}
	list, next, err := a.Lifecycle.ContestedDomains(ctx, c.Subject, after, in.Count)
	if err != nil {
		return nil, err
	}
	out := &contestedOutput{}
	out.Body.Items = make([]ContestedDomain, len(list))
	for i := range list {
		out.Body.Items[i] = contestedDomain(&list[i])
	}
	if next != "" {
		out.Body.Next, err = sealCursor(a, c, "contested", next)
	}
	return out, err
}

type assignDomainInput struct {
	DomainPath
	Body struct {
		Organization string `json:"organization" minLength:"1" maxLength:"63" doc:"Slug or id of the organization whose it is to be."`
	}
}

type assignedOutput struct{ Body ContestedDomain }

func (a *API) assignDomain(ctx context.Context, c *Call, in *assignDomainInput) (*assignedOutput, error) {
	o, err := a.Resources.Organization(ctx, in.Body.Organization)
	if err != nil {
		return nil, err
	}
	d, err := a.Lifecycle.AssignDomain(ctx, c.Subject, in.Domain, o.ID)
	if err != nil {
		return nil, err
	}
	return &assignedOutput{contestedDomain(d)}, nil
}
