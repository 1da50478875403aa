package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// maxBody is far above what an operation's arguments take.
const maxBody = 64 << 10

// The operations' names are the paths of their requests.
const (
	pathCreateOrganization = "/org/create"
	pathOrganizations      = "/org/list"
	pathOrganization       = "/org/show"
	pathCreateToken        = "/token/create"
	pathTokens             = "/token/list"
	pathRevokeToken        = "/token/revoke"
	pathBackup             = "/backup"
	pathCheck              = "/check"
	pathVerifyAudit        = "/audit/verify"
)

// The arguments of operations that take no message of their own.
type (
	none   struct{}
	orgArg struct {
		Organization string `json:"organization"`
	}
	revokeArg struct {
		Organization string `json:"organization"`
		ID           string `json:"id"`
	}
	backupArg struct {
		File string `json:"file"`
	}
	verifyArg struct {
		Organization string `json:"organization"`
		Expect       string `json:"expect"`
	}
	failure struct {
		Error string `json:"error"`
	}
)

// NewHandler serves the operations of op.
func NewHandler(op Operator) http.Handler {
	mux := http.NewServeMux()
	handle(mux, pathCreateOrganization, op.CreateOrganization)
	handle(mux, pathOrganizations, func(ctx context.Context, _ none) ([]Organization, error) { return op.Organizations(ctx) })
	handle(mux, pathOrganization, func(ctx context.Context, a orgArg) (*Organization, error) {
		return op.Organization(ctx, a.Organization)
	})
	handle(mux, pathCreateToken, op.CreateToken)
	handle(mux, pathTokens, func(ctx context.Context, a orgArg) ([]Token, error) { return op.Tokens(ctx, a.Organization) })
	handle(mux, pathRevokeToken, func(ctx context.Context, a revokeArg) (none, error) {
		return none{}, op.RevokeToken(ctx, a.Organization, a.ID)
	})
	handle(mux, pathBackup, func(ctx context.Context, a backupArg) (none, error) { return none{}, op.Backup(ctx, a.File) })
	handle(mux, pathCheck, func(ctx context.Context, _ none) ([]string, error) { return op.Check(ctx) })
	handle(mux, pathVerifyAudit, func(ctx context.Context, a verifyArg) (*Verification, error) {
		return op.VerifyAudit(ctx, a.Organization, a.Expect)
	})
	return mux
}

// handle serves one operation: a JSON object in, JSON out; a failure is 400 with its text.
func handle[In, Out any](mux *http.ServeMux, path string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			reply(w, http.StatusBadRequest, failure{"the request is not understood: the command is of another version than the server"})
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			reply(w, http.StatusBadRequest, failure{err.Error()})
			return
		}
		reply(w, http.StatusOK, out)
	})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The command on the other side may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// errNotJSON is what a client makes of an answer that no server of ours sends.
var errNotJSON = errors.New("the control socket gave an answer that is not understood")
