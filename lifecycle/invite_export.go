package lifecycle

import (
	"context"

	"rollcall/scim"
	"rollcall/scim/query"
)

// exportPage is how many records an export reads at once.
const exportPage = 500

// ExportInvites calls fn with every invite of a status, or with all if it is empty, in the order of their ids. Who may see
// no more than their own gets those.
func (s *Service) ExportInvites(ctx context.Context, sub Subject, status string, fn func(*InviteRecord) error) error {
	if err := s.mayReadInvites(ctx, sub); err != nil {
		return err
	}
	var where query.And
	if status != "" {
		where = append(where, s.eq(typeInvite, "status", status))
	}
	if by := mine(sub, ""); by != "" {
		where = append(where, s.eq(typeInvite, "inviter.value", by))
	}
	_, err := s.ListInvites(ctx, sub.Org, where, fn)
	return err
}

// ListInvites calls fn with every invite that matches where, and returns how many there were.
func (s *Service) ListInvites(ctx context.Context, org scim.OrgID, where query.Expr, fn func(*InviteRecord) error) (int, error) {
	if _, err := s.settleInvites(ctx, org, ""); err != nil {
		return 0, err
	}
	n := 0
	var after *query.Position
	for {
		page, err := s.store.Query(ctx, org, query.Query{
			Sources: []query.Source{{Type: typeInvite, Where: where}}, Limit: exportPage, After: after,
		})
		if err != nil {
			return n, fail(typeInvite, err)
		}
		for i := range page.Records {
			r, err := inviteRecord(&page.Records[i])
			if err != nil {
				return n, err
			}
			if err := fn(r); err != nil {
				return n, err
			}
			n++
		}
		if !page.More {
			return n, nil
		}
		after = &page.Sort[len(page.Sort)-1]
	}
}
