package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"rollcall/storage"
)

// oldestWire is the wire version of MongoDB 5.0: snapshot reads outside of transactions came with it.
const oldestWire = 13

// checkServer refuses a server that cannot keep the contract, with a sentence that says what to do.
func (s *Store) checkServer(ctx context.Context) error {
	var h hello
	if err := s.command(ctx, "admin", "hello", &h); err != nil {
		return err
	}
	if err := h.refusal(); err != nil {
		return err
	}
	s.routed = h.Msg == isMongos
	return s.checkPrivileges(ctx)
}

// isMongos is what a mongos says, which has no replica set.
const isMongos = "isdbgrid"

// hello is what a server says of itself.
type hello struct {
	SetName string `bson:"setName"`
	Msg     string `bson:"msg"`
	MaxWire int    `bson:"maxWireVersion"`
}

// refusal is why a server cannot be used, nil if it can.
func (h *hello) refusal() error {
	switch {
	case h.MaxWire < oldestWire:
		return ErrTooOld
	case h.SetName == "" && h.Msg != isMongos:
		return ErrStandalone
	}
	return nil
}

// incompatible is what the driver says of a server that even it finds too old; it has no type for it.
const incompatible = "reports wire version"

func (s *Store) command(ctx context.Context, db, name string, into any, more ...bson.E) error {
	err := s.client.Database(db).RunCommand(ctx, append(bson.D{{Key: name, Value: 1}}, more...)).Decode(into)
	if err == nil {
		return nil
	}
	var server mongo.ServerError
	if errors.As(err, &server) && server.HasErrorCode(codeAuthenticationFailed) {
		return fmt.Errorf("%w: the server refuses the login that the connection string names", ErrPrivileges)
	}
	if strings.Contains(err.Error(), incompatible) {
		return ErrTooOld
	}
	err = translate(ctx, name, err)
	if errors.Is(err, errTransient) || server == nil && !errors.Is(err, storage.ErrUnavailable) && ctx.Err() == nil {
		return fmt.Errorf("mongo: %s: %w", name, storage.ErrUnavailable)
	}
	return err
}

// neededActions are what the store does in its database.
func neededActions() []string {
	return []string{"find", "insert", "update", "remove", "createCollection", "createIndex", "listIndexes"}
}

// checkPrivileges asks what the database user may do. A server without access control has no users.
func (s *Store) checkPrivileges(ctx context.Context) error {
	var status struct {
		Info struct {
			Users      []bson.Raw `bson:"authenticatedUsers"`
			Privileges []struct {
				Resource struct {
					DB         *string `bson:"db"`
					Collection *string `bson:"collection"`
					Any        bool    `bson:"anyResource"`
				} `bson:"resource"`
				Actions []string `bson:"actions"`
			} `bson:"authenticatedUserPrivileges"`
		} `bson:"authInfo"`
	}
	if err := s.command(ctx, "admin", "connectionStatus", &status, bson.E{Key: "showPrivileges", Value: true}); err != nil {
		return err
	}
	if len(status.Info.Users) == 0 {
		return s.checkOpen(ctx)
	}
	granted := make(map[string]bool)
	for _, p := range status.Info.Privileges {
		r := p.Resource
		ofDatabase := r.DB != nil && (*r.DB == s.db.Name() || *r.DB == "") && r.Collection != nil && *r.Collection == ""
		if !r.Any && !ofDatabase {
			continue
		}
		for _, a := range p.Actions {
			granted[a] = true
		}
	}
	missing := slices.DeleteFunc(neededActions(), func(a string) bool { return granted[a] || granted["anyAction"] })
	if len(missing) > 0 {
		return fmt.Errorf("%w in database %s: %v (the role readWrite has them all)", ErrPrivileges, s.db.Name(), missing)
	}
	return nil
}

// checkOpen finds out whether the server has no users or has not been told which one this is.
func (s *Store) checkOpen(ctx context.Context) error {
	_, err := s.setting(ctx, "schema")
	if e, ok := errors.AsType[*serverError](err); ok && slices.Contains(e.codes, codeUnauthorized) {
		return fmt.Errorf("%w: the server asks for a login, and the connection string has none", ErrPrivileges)
	}
	return err
}
