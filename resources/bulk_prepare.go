package resources

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"rollcall/scim"
	"rollcall/scim/compat"
	"rollcall/scim/patch"
	"rollcall/scim/schema"
)

// parallelFrom is the number of operations from which on handing them to workers pays.
const parallelFrom = 8

// prepare does what needs no store, for all operations in parallel: an operation's faults become its err. An error
// of its own means that the request is over (its context is).
func (b *bulk) prepare(ctx context.Context) error {
	workers := min(cap(b.preparing), len(b.ops)/parallelFrom+1)
	// Compatibility sessions are not for concurrent use: each worker has its own.
	sessions := make([]*compat.Session, workers)
	var next atomic.Int64
	work := func(w int) {
		select {
		case b.preparing <- struct{}{}:
			defer func() { <-b.preparing }()
		case <-ctx.Done():
			return
		}
		c := b.caller
		c.Compat = c.Compat.Fork()
		sessions[w] = c.Compat
		for i := int(next.Add(1)) - 1; i < len(b.ops) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
			b.prepareOp(ctx, c, &b.ops[i])
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
	for _, s := range sessions {
		b.caller.Compat.Join(s)
	}
	return ctx.Err()
}

func (b *bulk) prepareOp(ctx context.Context, c scim.Caller, op *bulkOp) {
	if op.err != nil || op.Method == http.MethodDelete {
		if op.err == nil {
			op.remove = deletion(c, scim.Precondition{IfMatch: op.Version})
		}
		return
	}
	// References are resolved first: what this operation depends on matters even if its data is bad, as the
	// circle that it is part of fails with it.
	if op.err = b.resolve(op); op.err != nil {
		return
	}
	decoder := schema.Decoder{Session: c.Compat, MaxValues: b.limits.values}
	pre := scim.Precondition{IfMatch: op.Version}
	switch op.Method {
	case http.MethodPost, http.MethodPut:
		doc, err := decoder.Resource(op.def.ResourceType, op.Data)
		if err != nil {
			op.err = err
			return
		}
		if op.Method == http.MethodPost {
			if op.edit, op.err = b.creation(ctx, c, op.def, doc); op.err == nil && b.preparer != nil {
				op.err = b.preparer.Prepare(b.key(op), b.at, op.edit)
			}
			break
		}
		secret, err := b.hashSecrets(ctx, doc.Secret)
		op.update, op.err = op.def.replacement(c, pre, doc, secret, &op.out), err
	case http.MethodPatch:
		plan, err := patch.Compile(op.def.ResourceType, op.Data, patch.Options{
			Session: c.Compat, MaxOperations: b.limits.patchOperations, MaxValues: b.limits.values,
		})
		if err != nil {
			op.err = err
			return
		}
		secret, err := b.hashSecrets(ctx, plan.Secret())
		op.update, op.err = op.def.patching(c, pre, plan, secret, &op.out), err
	}
	op.Data = nil // decoded: let it go before the store is called
}
