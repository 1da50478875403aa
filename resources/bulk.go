package resources

import (
	"context"
	"errors"
	"net/http"
	"time"

	"rollcall/scim"
	"rollcall/storage"
)

// bulkLimits bound the operations inside a Bulk request as the edge bounds single requests.
type bulkLimits struct{ values, patchOperations int }

// bulk is one Bulk request on its way (RFC 7644 3.7):
//
//	address  methods, paths, bulkIds; every POST gets its id here, so references can be resolved before anything runs
//	prepare  in parallel: references resolved, data decoded, checked, hashed: all that needs no store
//	order    what must run before what; operations that refer to each other in a circle become one step
//	run      the steps, in one Batch of the store, so that one commit carries many
type bulk struct {
	*Service
	caller  scim.Caller
	at      time.Time
	ops     []bulkOp
	created map[string]int      // index of the POST that a bulkId names
	states  map[*Definition]any // what the checks of each type work with
	steps   []bulkStep
	stopped bool // failOnErrors ended the request
}

// bulkOp is one operation.
type bulkOp struct {
	scim.BulkOperation
	def  *Definition
	id   string // of the resource
	byID string // the bulkId in the path, if it has one
	// needs are the POSTs that the operation refers to by bulkId.
	needs []int
	err   error // why it cannot run

	write  *Write
	edit   *storage.Edit      // POST
	update storage.UpdateFunc // PUT, PATCH
	remove storage.DeleteFunc // DELETE
	out    outcome

	step    int   // that it is part of
	version int64 // after it ran
	failed  bool  // its step failed
}

// Bulk runs operations (RFC 7644 3.7), in the order of the request except that a resource is created before what
// refers to it by bulkId. Each fails on its own, with what depends on it; it ends when failOnErrors of them have
// failed, 0 means never. Its data becomes the service's.
//
// Re-activation (compat.ReactivateOnCreate) is not for Bulk, where it would take a look-up between the writes of one
// transaction: such a POST is answered 409.
func (s *Service) Bulk(ctx context.Context, c scim.Caller, ops []scim.BulkOperation, failOnErrors int) ([]scim.BulkResult, error) {
	b := &bulk{Service: s, caller: c, at: s.now(), ops: make([]bulkOp, len(ops)), created: map[string]int{}}
	for i := range ops {
		b.ops[i] = bulkOp{BulkOperation: ops[i]}
		ops[i].Data = nil // the caller keeps the rest for its answer
	}
	b.address()
	if err := b.prepareChecks(ctx); err != nil {
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	b.order()
	errs, err := b.run(ctx, failOnErrors)
	if err != nil {
		return nil, err
	}
	return b.results(ctx, errs), nil
}

// results maps what became of the steps to the operations.
func (b *bulk) results(ctx context.Context, errs []error) []scim.BulkResult {
	results := make([]scim.BulkResult, len(b.ops))
	for k := range b.steps {
		step := &b.steps[k]
		for _, i := range step.ops {
			results[i] = b.result(ctx, i, step, errs, errs[k])
		}
	}
	return results
}

func (b *bulk) result(ctx context.Context, i int, step *bulkStep, errs []error, err error) scim.BulkResult {
	op := &b.ops[i]
	r := scim.BulkResult{}
	if op.def != nil {
		r.Type = op.def.Name
	}
	if op.Method != http.MethodPost && b.exists(op, errs) {
		r.ID = op.id
	}
	switch {
	case errors.Is(err, storage.ErrNotRun) && b.stopped:
		return scim.BulkResult{NotRun: true}
	case errors.Is(err, storage.ErrNotRun): // the store gave up between two commits
		r.Err = scim.Unavailable(retryUnavailable, err)
	case err == nil:
		op.out.join(b.caller.Compat)
		r.ID, r.Version, r.Status = op.id, op.version, http.StatusOK
		switch op.Method {
		case http.MethodPost:
			r.Status = http.StatusCreated
		case http.MethodDelete:
			r.Status = http.StatusNoContent
		}
	case step.culprit >= 0 && step.culprit != i:
		r.Err = scim.Conflict("the operation with bulkId %q, which this one and others refer to in a circle, failed",
			clip(b.ops[step.culprit].BulkID))
	default:
		r.Err = failed(ctx, b.caller, op.def, err)
	}
	if e, ok := errors.AsType[*scim.Error](r.Err); ok {
		r.Status = e.Status
	}
	return r
}

// exists reports whether the id of an operation's resource may be told: a path that names the resource by bulkId has
// one only if that resource was created.
func (b *bulk) exists(op *bulkOp, errs []error) bool {
	if op.byID == "" {
		return true
	}
	post, ok := b.created[op.byID]
	return ok && errs[b.ops[post].step] == nil
}

// clip bounds text of the client's that an error repeats.
func clip(s string) string {
	const bound = 100
	if r := []rune(s); len(r) > bound {
		return string(r[:bound]) + "..."
	}
	return s
}
