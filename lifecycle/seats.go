package lifecycle

import (
	"context"
	"net/http"
	"time"

	"rollcall/scim"
	"rollcall/scim/query"
)

// featureMultiUser is what a plan must include for more people than the one who made the organization.
const featureMultiUser = "multiUser"

// Room is how many seats an organization has left.
type Room struct {
	Limited bool // the plan bounds the seats
	Used    int
	Limit   int
}

// Free is how many more people can be let in.
func (r Room) Free() int { return max(0, r.Limit-r.Used) }

// Room counts the seats in use: people who may sign in, or all if the plan frees seats at removal only, and open
// invites if it counts those.
func (s *Service) Room(ctx context.Context, org scim.OrgID) (Room, error) {
	set, _, err := s.Settings(ctx, org)
	if err != nil {
		return Room{}, err
	}
	r, err := s.room(ctx, org, set, s.now())
	return r, fail(typeUser, err)
}

func (s *Service) room(ctx context.Context, org scim.OrgID, set Settings, now time.Time) (Room, error) {
	r := Room{Limited: set.Plan.Seats.Limit > 0, Limit: set.Plan.Seats.Limit}
	var where query.Expr
	if set.SeatsFreeOn != "remove" {
		where = query.Not{Expr: s.is(typeUser, "active", false)}
	}
	n, err := s.count(ctx, org, typeUser, where)
	if err != nil || !set.Plan.Seats.CountPending {
		r.Used = n
		return r, err
	}
	held, err := s.count(ctx, org, typeInvite, query.And{s.pending(now), s.is(typeInvite, "seatHeld", true)})
	r.Used = n + held
	return r, err
}

// pending matches invites that are open at t.
func (s *Service) pending(t time.Time) query.Expr {
	return query.And{s.eq(typeInvite, "status", invitePending), s.when(typeInvite, "expiresAt", query.Gt, t)}
}

// is compares a boolean field.
func (s *Service) is(t scim.TypeName, path string, v bool) query.Expr {
	return query.Compare{Field: s.field(t, path), Op: query.Eq, Value: query.Value{Kind: query.Boolean, Bool: v}}
}

// when compares a field with an instant.
func (s *Service) when(t scim.TypeName, path string, op query.Op, at time.Time) query.Expr {
	return query.Compare{
		Field: s.field(t, path), Op: op, Value: query.Value{Kind: query.DateTime, Str: query.InstantKey(at)},
	}
}

func noSeat() *scim.Error {
	return refuse(http.StatusForbidden, "over_seat_limit", "every seat of the plan is taken")
}
