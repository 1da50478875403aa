package scim_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"rollcall/scim"
)

func TestErrors(t *testing.T) {
	cause := errors.New("driver: connect 10.0.0.3")
	for _, c := range []struct {
		err  *scim.Error
		want string // the body on the wire
		path string
	}{
		{scim.InvalidSyntax("not an %s", "object"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidSyntax","detail":"not an object"}`, ""},
		{scim.InvalidValue("emails.type", "must be a %s", "string"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"emails.type: must be a string"}`, "emails.type"},
		{scim.InvalidValue("a%sb", "x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"a%sb: x"}`, "a%sb"},
		{scim.InvalidFilter("x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidFilter","detail":"x"}`, ""},
		{scim.InvalidPath("x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"x"}`, ""},
		{scim.NoTarget("x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"noTarget","detail":"x"}`, ""},
		{scim.Mutability("id", "is readOnly"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"mutability","detail":"id: is readOnly"}`, "id"},
		{scim.Uniqueness("userName"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName: the value is already in use"}`, "userName"},
		{scim.TooMany("x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"tooMany","detail":"x"}`, ""},
		{scim.NotFound("User"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"User not found"}`, ""},
		{scim.TooLarge("%d bytes", 9), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"413","detail":"9 bytes"}`, ""},
		{scim.Conflict("\"quoted\"\n"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","detail":"\"quoted\"\n"}`, ""},
		{scim.Forbidden("x"), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"403","detail":"x"}`, ""},
		{scim.Unavailable(time.Second, cause), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"503","detail":"the service is temporarily unavailable"}`, ""},
	} {
		body := c.err.AppendJSON(nil)
		if string(body) != c.want {
			t.Errorf("body\n%s, want\n%s", body, c.want)
		}
		if _, err := scim.ParseJSON(body, 2); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if c.err.Path != c.path {
			t.Errorf("%v: path %q, want %q", c.err, c.err.Path, c.path)
		}
		var e *scim.Error
		if !errors.As(fmt.Errorf("create: %w", c.err), &e) || e != c.err {
			t.Errorf("%v is lost when it is wrapped", c.err)
		}
	}
	// The cause is for the log; the answer and the text do not show it.
	e := scim.Unavailable(3*time.Second, cause)
	if !errors.Is(e, cause) || e.RetryAfter != 3*time.Second || e.Error() != "503: the service is temporarily unavailable" {
		t.Errorf("Unavailable = %v after %v", e, e.RetryAfter)
	}
	if got := scim.Uniqueness("userName").Error(); got != "409 uniqueness: userName: the value is already in use" {
		t.Errorf("Error() = %q", got)
	}
}
