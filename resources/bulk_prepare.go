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
	"rollcall/storage"
)

// parallelFrom is the number of operations from which on handing them to workers pays.
const parallelFrom = 8

// prepare does what needs no store, for all operations in parallel: an operation's faults become its err. An error
// of its own means that the request is over (its context is).
func (b *bulk) prepare(ctx context.Context) error {
	workers := min(cap(b.hasher.slots), len(b.ops)/parallelFrom+1)
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

// prepareChecks asks each type once for what its checks work with.
func (b *bulk) prepareChecks(ctx context.Context) error {
	b.states = map[*Definition]any{}
	for i := range b.ops {
		d := b.ops[i].def
		if d == nil || d.Check == nil {
			continue
		}
		if _, done := b.states[d]; done {
			continue
		}
		state, err := d.Check.Prepare(ctx, b.caller)
		if err != nil {
			return fail(b.caller, d, err)
		}
		b.states[d] = state
	}
	return nil
}

var bulkWriteOps = map[string]storage.ChangeOp{
	http.MethodPost: storage.OpCreate, http.MethodPut: storage.OpReplace, http.MethodPatch: storage.OpPatch,
	http.MethodDelete: storage.OpDelete,
}

func (b *bulk) prepareOp(ctx context.Context, c scim.Caller, op *bulkOp) {
	if op.err != nil {
		return
	}
	w := &Write{Caller: c, Key: b.key(op), At: b.at, Op: bulkWriteOps[op.Method], Fixed: true, Prepared: b.states[op.def]}
	op.write = w
	if op.Method != http.MethodPost {
		if op.err = op.def.before(ctx, w); op.err != nil {
			return
		}
	}
	if op.Method == http.MethodDelete {
		op.remove = deletion(c, scim.Precondition{IfMatch: op.Version})
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
			op.edit, op.err = b.creation(ctx, w, op.def, doc, b.hashSecrets)
			if op.err == nil && b.preparer != nil && (op.def.OnCreate == nil || w.Alone) {
				op.err = b.preparer.Prepare(b.key(op), b.at, op.edit)
			}
			break
		}
		secret, err := b.hashSecrets(ctx, doc.Secret)
		op.update, op.err = op.def.replacement(w, pre, doc, secret, &op.out), err
	case http.MethodPatch:
		plan, err := patch.Compile(op.def.ResourceType, op.Data, patch.Options{
			Session: c.Compat, MaxOperations: b.limits.patchOperations, MaxValues: b.limits.values,
		})
		if err != nil {
			op.err = err
			return
		}
		secret, err := b.hashSecrets(ctx, plan.Secret())
		op.update, op.err = op.def.patching(w, pre, plan, secret, &op.out), err
	}
	op.Data = nil // decoded: let it go before the store is called
}

// hashSecrets lets another worker compute meanwhile: hashing has a bound of its own, and takes a thousand times as
// long as the rest.
func (b *bulk) hashSecrets(ctx context.Context, secret scim.Attributes) (scim.Attributes, error) {
	if len(secret) == 0 {
		return nil, nil
	}
	<-b.preparing
	defer func() { b.preparing <- struct{}{} }()
	return b.Service.hashSecrets(ctx, secret)
}
