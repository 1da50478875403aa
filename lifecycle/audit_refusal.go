package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// Bounds of what is written down of refusals: a flood of them must not fill the store.
const (
	refusalWindow  = time.Minute // the same refusal of the same actor is one entry
	refusalsOfOrg  = 120         // entries of one organization within the window; the rest is one more
	refusalsInAll  = 20_000      // that are counted at once
	maxRefusalText = 100
	refusalTooMany = "too_many_refusals" // the code of that one
)

// refusalKey is what is counted together.
type refusalKey struct {
	org          scim.OrgID
	kind, actor  string
	action, code string
}

// refusal is what is counted of it and not written down yet.
type refusal struct {
	name, target, targetType, request string // of the last one
	first, last                       time.Time
	count                             int
	window                            time.Time // when counting began
	written                           bool      // an entry of this window
}

// refusals counts what was refused until it is written down: the first at once, the others of the same minute when it is
// over.
type refusals struct {
	mu      sync.Mutex
	pending map[refusalKey]*refusal
	orgs    map[scim.OrgID]int
}

// refusalDoc is a refusal as the change feed has it.
type refusalDoc struct {
	Action     string `json:"action"`
	Code       string `json:"code"`
	Target     string `json:"target,omitempty"`
	TargetType string `json:"targetType,omitempty"`
	Count      int    `json:"count"`
	Since      string `json:"since,omitempty"`
}

// Denial is something that somebody was not allowed: which operation, on what, and the machine code of the reason. It
// holds no value of a request.
type Denial struct {
	Caller     scim.Caller
	Action     string
	Code       string
	Target     string // id; empty: none
	TargetType string
}

// Refused notes a refusal. It costs no write; FlushRefusals writes.
func (s *Service) Refused(r Denial) {
	if r.Caller.Org == "" || r.Caller.Org == scim.SystemOrg {
		return // of nobody: metrics count it
	}
	now := s.now()
	k := refusalKey{r.Caller.Org, r.Caller.Actor.Kind, r.Caller.Actor.ID, short(r.Action), short(r.Code)}
	l := &s.refused
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.pending[k]
	if x == nil {
		if l.orgs[k.org] >= refusalsOfOrg || len(l.pending) >= refusalsInAll {
			k = refusalKey{org: k.org, action: "*", code: refusalTooMany}
			r.Target, r.TargetType, r.Caller.RequestID, r.Caller.Actor.Name = "", "", "", ""
			x = l.pending[k]
		}
		if x == nil {
			x = &refusal{window: now}
			l.pending[k] = x
			l.orgs[k.org]++
		}
	}
	if x.count == 0 {
		x.first = now
	}
	x.count++
	x.last = now
	x.name, x.target, x.targetType, x.request = r.Caller.Actor.Name, short(r.Target), short(r.TargetType), r.Caller.RequestID
}

// Deny notes an error as a refusal of an operation, if it is one: a rule has decided it, or a limit. What is no id is no
// target: nothing of a request is written down.
func (s *Service) Deny(c scim.Caller, action, targetType, target string, err error) {
	e, ok := errors.AsType[*scim.Error](err)
	if !ok || e.Status < http.StatusBadRequest || e.Status >= http.StatusInternalServerError || e.Status == http.StatusUnauthorized {
		return
	}
	code := cmp.Or(e.Code, snakeOf(string(e.Type)))
	if code == "" {
		switch e.Status {
		case http.StatusForbidden:
			code = "forbidden"
		case http.StatusTooManyRequests:
			code = "rate_limited"
		case http.StatusPreconditionFailed:
			code = "version_mismatch"
		default:
			return // a request that was not understood
		}
	}
	if uuid.Validate(target) != nil {
		target = ""
	}
	s.Refused(Denial{Caller: c, Action: action, Code: code, Target: target, TargetType: targetType})
}

func short(text string) string {
	if len(text) > maxRefusalText {
		return text[:maxRefusalText]
	}
	return text
}

// due takes what is to be written now, of one organization if one is named, and forgets what is over.
func (l *refusals) due(now time.Time, org scim.OrgID, all bool) map[refusalKey]refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[refusalKey]refusal{}
	for k, x := range l.pending {
		if org != "" && k.org != org {
			continue
		}
		over := !now.Before(x.window.Add(refusalWindow))
		if x.count > 0 && (all || over || !x.written) {
			out[k] = *x
			x.count, x.written = 0, true
		}
		if over {
			delete(l.pending, k)
			if l.orgs[k.org]--; l.orgs[k.org] == 0 {
				delete(l.orgs, k.org)
			}
		}
	}
	return out
}

// FlushRefusals writes down the refusals that are due: each the first time, and once more for all others of its minute.
// What this process has counted and not written is lost if it crashes.
func (s *Service) FlushRefusals(ctx context.Context) error { return s.flushRefusals(ctx, "", false) }

// CloseRefusals writes down all that was counted; for the end of the process.
func (s *Service) CloseRefusals(ctx context.Context) error { return s.flushRefusals(ctx, "", true) }

func (s *Service) flushRefusals(ctx context.Context, org scim.OrgID, all bool) error {
	list := s.refused.due(s.now(), org, all)
	keys := make([]refusalKey, 0, len(list))
	for k := range list {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b refusalKey) int { return list[a].first.Compare(list[b].first) })
	var errs []error
	for _, k := range keys {
		x := list[k]
		if err := s.writeRefusal(ctx, k, &x); err != nil {
			errs = append(errs, err)
			s.refused.giveBack(k, &x)
		}
	}
	return errors.Join(errs...)
}

// giveBack counts again what could not be written.
func (l *refusals) giveBack(k refusalKey, x *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.pending[k]; have != nil {
		have.count += x.count
		have.first, have.written = x.first, x.written
		return
	}
	l.pending[k] = x
	l.orgs[k.org]++
}

// writeRefusal makes an entry of the feed: the record itself is gone with the step that makes it.
func (s *Service) writeRefusal(ctx context.Context, k refusalKey, x *refusal) error {
	c := scim.Caller{Org: k.org, RequestID: x.request, Actor: scim.Actor{Kind: k.kind, ID: k.actor, Name: x.name}}
	doc := refusalDoc{Action: k.action, Code: k.code, Target: x.target, TargetType: x.targetType, Count: x.count}
	if x.count > 1 {
		doc.Since = scim.FormatTime(x.first)
	}
	key, at := storage.Key{Org: k.org, Type: resources.TypeRefusal, ID: s.newID()}, x.last
	return s.store.Within(ctx, k.org, func(tx storage.Tx) error {
		if _, err := s.insert(ctx, tx, c, key, at, doc, nil); err != nil {
			return err
		}
		return tx.Delete(ctx, key, at, func(storage.Current) (storage.Change, error) {
			return storage.Change{Op: storage.OpDelete, Actor: c.Actor}, nil
		})
	})
}

// refusal fills an entry with what a change row has of a refusal.
func (e *AuditEntry) refusal(ch *storage.Change) {
	e.Outcome, e.Code, e.Version = AuditRefused, textOf(ch, "code"), 0
	e.Target = AuditThing{textOf(ch, "targetType"), textOf(ch, "target")}
	for _, v := range ch.Values {
		if n, ok := v.New.(int64); ok && v.Path == "count" && n > 1 {
			e.Count = int(n)
		}
	}
}
