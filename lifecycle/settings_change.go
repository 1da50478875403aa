package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"rollcall/scim"
)

// ReadSettings returns an organization's settings for somebody who may know them.
func (s *Service) ReadSettings(ctx context.Context, sub Subject) (Settings, int64, error) {
	if err := Allowed(sub, ActReadCatalog, Target{Type: "Organization"}); err != nil {
		return Settings{}, 0, err
	}
	return s.Settings(ctx, sub.Org)
}

// MergeSettings puts a merge patch (RFC 7396) on an organization's settings. The plan is the operator's to change, and who
// may close the organization changes its status.
func (s *Service) MergeSettings(ctx context.Context, sub Subject, pre scim.Precondition, patch map[string]any) (Settings, int64, error) {
	if err := Allowed(sub, ActSettings, Target{Type: "Organization"}); err != nil {
		return Settings{}, 0, err
	}
	if err := s.checkFallback(ctx, sub, patch); err != nil {
		return Settings{}, 0, err
	}
	return s.patchSettings(ctx, sub, pre, func(v *Settings) error {
		next, err := merged(*v, patch)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(next.Plan, v.Plan) {
			return forbidden("plan_is_operators", "the operator of the server sets the plan")
		}
		if next.Status != v.Status {
			if err := Allowed(sub, ActOwnership, Target{Type: "Organization"}); err != nil {
				return err
			}
		}
		*v = next
		return nil
	})
}

// SetPlan gives an organization a plan.
func (s *Service) SetPlan(ctx context.Context, sub Subject, pre scim.Precondition, p Plan) (Settings, int64, error) {
	if sub.Kind != KindOperator {
		return Settings{}, 0, forbidden("plan_is_operators", "the operator of the server sets the plan")
	}
	return s.patchSettings(ctx, sub, pre, func(v *Settings) error { v.Plan = p; return nil })
}

// patchSettings is ChangeSettings under a precondition.
func (s *Service) patchSettings(ctx context.Context, sub Subject, pre scim.Precondition, fn func(*Settings) error) (Settings, int64, error) {
	_, version, err := s.Settings(ctx, sub.Org)
	if err != nil {
		return Settings{}, 0, err
	}
	if err := pre.Check(version); err != nil {
		return Settings{}, 0, err
	}
	if pre.IfMatch == "" {
		version = 0 // whatever it is
	}
	return s.ChangeSettings(ctx, sub, version, fn)
}

// merged is settings with a merge patch on them. What settings do not have is refused: it would else look as if it had been
// stored.
func merged(v Settings, patch map[string]any) (Settings, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return v, fmt.Errorf("write settings: %w", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		return v, fmt.Errorf("read settings: %w", err)
	}
	mergePatch(doc, patch)
	if b, err = json.Marshal(doc); err != nil {
		return v, fmt.Errorf("write settings: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	next := DefaultSettings()
	next.Plan = Plan{}
	if err := d.Decode(&next); err != nil {
		return v, invalid("settings", "invalid_setting", "there is no such setting, or it has another type")
	}
	return next, nil
}

// mergePatch is RFC 7396: null takes away, an object goes into an object, all else replaces.
func mergePatch(doc, patch map[string]any) {
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		old, has := doc[name].(map[string]any)
		switch {
		case value == nil:
			delete(doc, name)
		case isObject && has:
			mergePatch(old, inner)
		default:
			doc[name] = value
		}
	}
}
