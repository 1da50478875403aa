package admin

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"rollcall/lifecycle"
	"rollcall/scim"
)

// Settings are what an organization has decided, its plan and its status.
type Settings = lifecycle.Settings

// Plan is what the operator sells.
type Plan = lifecycle.Plan

type settingsOutput struct {
	ETag string `header:"ETag"`
	Body Settings
}

func settingsAnswer(v Settings, version int64, err error) (*settingsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &settingsOutput{scim.ETag(version), v}, nil
}

func (a *API) settingsEndpoints() {
	handle(a, operation{
		id: "get-settings", method: http.MethodGet, path: "/settings", tag: "Organization", summary: "What the organization has decided",
	}, func(ctx context.Context, c *Call, _ *struct{}) (*settingsOutput, error) {
		return settingsAnswer(a.Lifecycle.ReadSettings(ctx, c.Subject))
	})
	handle(a, operation{
		id: "change-settings", method: http.MethodPatch, path: "/settings", tag: "Organization", summary: "Change settings",
		conditional: true,
		detail:      "A merge patch (RFC 7396): what is left out stays, null puts the default back. The plan is the operator's.",
	}, func(ctx context.Context, c *Call, in *changeSettingsInput) (*settingsOutput, error) {
		return settingsAnswer(a.Lifecycle.MergeSettings(ctx, c.Subject, c.If, in.Body))
	})
	handle(a, operation{
		id: "set-plan", method: http.MethodPut, path: "/operator/organizations/{organization}/plan", tag: operatorTag,
		access: forOperators, summary: "Give an organization a plan", conditional: true,
	}, a.setPlan)
}

// SettingsPatch is a merge patch of settings.
type SettingsPatch map[string]any

// Schema is that of settings, of which nothing is required.
func (SettingsPatch) Schema(r huma.Registry) *huma.Schema {
	return partial(r, r.Schema(reflect.TypeFor[Settings](), false, "Settings"))
}

// partial is a schema of which nothing is required, at any depth.
func partial(r huma.Registry, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	if s.Type != huma.TypeObject {
		return s
	}
	out := &huma.Schema{Type: s.Type, Description: s.Description, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for name, property := range s.Properties {
		if name != "$schema" {
			out.Properties[name] = partial(r, property)
		}
	}
	out.PrecomputeMessages()
	return out
}

type changeSettingsInput struct {
	Body SettingsPatch
}

type setPlanInput struct {
	OrganizationPath
	Body Plan
}

func (a *API) setPlan(ctx context.Context, c *Call, in *setPlanInput) (*settingsOutput, error) {
	o, err := a.Resources.Organization(ctx, in.Organization)
	if err != nil {
		return nil, err
	}
	sub := c.Subject
	sub.Org = o.ID
	return settingsAnswer(a.Lifecycle.SetPlan(ctx, sub, c.If, in.Body))
}
