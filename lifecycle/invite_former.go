package lifecycle

import (
	"context"

	"rollcall/scim/query"
)

// warnOfFormer puts a warning with the day on items whose address is that of somebody who was removed, for those who may
// see who was removed. Of somebody who was erased nothing is said.
func (x *inviting) warnOfFormer(ctx context.Context, items []*inviteItem) error {
	if maySee := Allowed(x.sub, ActReadMembers, Target{}) == nil; !maySee || x.approval {
		return nil
	}
	byAddress := make(map[string]*inviteItem, len(items))
	var where query.Or
	for _, item := range items {
		if item.invite.Kind == kindLink {
			continue
		}
		digest := x.linkDigest("address " + item.address.Key())
		byAddress[digest] = item
		where = append(where, x.eq(typeTombstone, "emails", digest))
	}
	if len(where) == 0 {
		return nil
	}
	list, err := find[tombstone](ctx, x.Service, x.sub.Org, typeTombstone, where, maxSameAddress*len(where))
	if err != nil {
		return fail(typeTombstone, err)
	}
	last := map[*inviteItem]Instant{}
	for _, t := range list {
		for _, digest := range t.Value.Emails {
			item := byAddress[digest]
			if item != nil && !t.Value.Erased && t.Value.RemovedAt.After(last[item].Time) {
				last[item] = t.Value.RemovedAt
			}
		}
	}
	for item, removed := range last {
		item.hints = append(item.hints, "formerly_removed:"+date(removed.Time))
	}
	return nil
}
