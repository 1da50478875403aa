package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rollcall/internal/photo"
	"rollcall/resources"
	"rollcall/scim"
	"rollcall/storage"
)

// MaxPhoto bounds an uploaded picture, in bytes.
const MaxPhoto = photo.MaxBytes

// photoDoc is an uploaded picture. The picture itself is a sealed secret of the record.
type photoDoc struct {
	User    string `json:"user"`
	Version string `json:"version"` // in the URL: another picture has another one
	Digest  string `json:"digest"`  // of the picture: the same upload again changes nothing
}

const (
	secretPicture = "picture"
	photoType     = "photo" // of the value of photos
)

// Photo is a picture as it is served.
type Photo struct {
	Data      []byte
	MediaType string
	Version   string
}

func photoKey(org scim.OrgID, user string) storage.Key {
	return storage.Key{Org: org, Type: resources.TypePhoto, ID: idOf("photo", string(org), user)}
}

// photoPath is where a version of somebody's picture is served, below the public URL.
func photoPath(user, version string) string {
	return "/api/v1/members/" + url.PathEscape(user) + "/photo?v=" + url.QueryEscape(version)
}

// shows reports whether a person's profile shows the uploaded picture: a client may have given them another one since.
func (d *photoDoc) shows(doc scim.Attributes) bool {
	for _, v := range list(doc["photos"]) {
		el, _ := v.(scim.Attributes)
		if strings.HasSuffix(text(el["value"]), photoPath(d.User, d.Version)) {
			return true
		}
	}
	return false
}

// SetPhoto makes a picture of a person that of their profile. It is decoded and encoded again, upright, with a longest
// side of 512 pixels, and without what the camera wrote beside it.
func (s *Service) SetPhoto(ctx context.Context, sub Subject, id string, pre scim.Precondition, data []byte) (*Person, error) {
	if id == "" {
		return nil, notAPerson()
	}
	p, _, err := s.person(ctx, sub.Org, id)
	if err == nil {
		err = mayEditProfile(sub, p) // nobody else's pictures are decoded
	}
	if err != nil {
		return nil, err
	}
	picture, err := s.normalized(ctx, data)
	if err != nil {
		return nil, err
	}
	k, sum := photoKey(sub.Org, id), sha256.Sum256(picture)
	next := photoDoc{User: id, Version: s.newID(), Digest: base64.RawURLEncoding.EncodeToString(sum[:])}
	hidden, err := s.sealed(picture, "photo "+id)
	if err != nil {
		return nil, err
	}
	return s.editAttributes(ctx, sub, id, pre, func(p *Person) ([]attributeEdit, error) {
		if err := mayEditProfile(sub, p); err != nil {
			return nil, err
		}
		has, err := load[photoDoc](ctx, s.store, k)
		if err != nil || has != nil && has.Value.Digest == next.Digest && has.Value.shows(p.Doc) {
			return nil, err
		}
		link := strings.TrimSuffix(s.pages, "/") + photoPath(id, next.Version)
		return []attributeEdit{{path: "photos", set: func(doc scim.Attributes) { setTyped(doc, "photos", photoType, link) }}}, nil
	}, func(tx storage.Tx) error {
		_, err := change(ctx, s, tx, sub.Caller, k, s.now(), func(r *record[photoDoc]) error {
			r.Value, r.Secret = next, scim.Attributes{secretPicture: hidden}
			return nil
		})
		if errors.Is(err, storage.ErrNotFound) {
			_, err = s.insert(ctx, tx, sub.Caller, k, s.now(), next, scim.Attributes{secretPicture: hidden})
		}
		return err
	})
}

// normalized is a picture as it is kept. One is decoded at a time: each may take 240 MB meanwhile.
func (s *Service) normalized(ctx context.Context, data []byte) ([]byte, error) {
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	picture, err := photo.Normalize(data)
	switch {
	case errors.Is(err, photo.ErrUnsupported):
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported_picture", "the picture must be a JPEG, PNG, GIF or WebP")
	case errors.Is(err, photo.ErrTooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "picture_too_large",
			"the picture must have at most %d MiB and %d million pixels", photo.MaxBytes>>20, photo.MaxPixels/1_000_000)
	case errors.Is(err, photo.ErrDamaged):
		return nil, refuse(http.StatusBadRequest, "damaged_picture", "the picture cannot be read to its end")
	}
	return picture, err
}

// RemovePhoto takes the picture out of a person's profile, and destroys it if it was uploaded.
func (s *Service) RemovePhoto(ctx context.Context, sub Subject, id string, pre scim.Precondition) error {
	if id == "" {
		return notAPerson()
	}
	k := photoKey(sub.Org, id)
	has, err := load[photoDoc](ctx, s.store, k)
	if err != nil {
		return fail(resources.TypePhoto, err)
	}
	_, err = s.editAttributes(ctx, sub, id, pre, func(p *Person) ([]attributeEdit, error) {
		if err := mayEditProfile(sub, p); err != nil {
			return nil, err
		}
		return []attributeEdit{{path: "photos", set: func(doc scim.Attributes) { setTyped(doc, "photos", photoType, "") }}}, nil
	}, func(tx storage.Tx) error { return dropPhoto(ctx, tx, sub.Caller, k, s.now(), 0) })
	if err != nil || has == nil {
		return err
	}
	// A client has taken it out of the profile before: nothing else destroys it. One that was uploaded meanwhile stays.
	err = s.store.Within(ctx, sub.Org, func(tx storage.Tx) error { return dropPhoto(ctx, tx, sub.Caller, k, s.now(), has.Version) })
	return fail(resources.TypePhoto, err)
}

var errOtherPhoto = errors.New("lifecycle: another picture was uploaded")

// dropPhoto destroys an uploaded picture in a step; none, or another version than the one wanted, is no failure. Any
// version will do for 0.
func dropPhoto(ctx context.Context, tx storage.Tx, c scim.Caller, k storage.Key, at time.Time, version int64) error {
	err := tx.Delete(ctx, k, at, func(cur storage.Current) (storage.Change, error) {
		if version != 0 && cur.Record().Version != version {
			return storage.Change{}, errOtherPhoto
		}
		return storage.Change{Actor: c.Actor, Request: c.RequestID, Op: storage.OpDelete}, nil
	})
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errOtherPhoto) {
		return nil
	}
	return err
}

// Photo is the uploaded picture of somebody whose profile shows it.
func (s *Service) Photo(ctx context.Context, sub Subject, id string) (*Photo, error) {
	p, err := s.Person(ctx, sub, id)
	if err != nil {
		return nil, err
	}
	r, err := load[photoDoc](ctx, s.store, photoKey(sub.Org, id))
	if err != nil {
		return nil, fail(resources.TypePhoto, err)
	}
	if r == nil || !r.Value.shows(p.Doc) {
		return nil, notFound(resources.TypePhoto)
	}
	data, err := s.opened(text(r.Secret[secretPicture]), "photo "+id)
	if err != nil {
		return nil, err
	}
	return &Photo{Data: data, MediaType: photo.MediaType, Version: r.Value.Version}, nil
}
