package resources

import "slices"

// bulkStep is what runs whole or not at all: one operation, or those that refer to each other in a circle.
type bulkStep struct {
	ops     []int // in the order of the request
	culprit int   // the operation that made the step fail, -1 if none did
}

// order puts the operations in steps: in the order of the request, except that what an operation needs comes right
// before it. Only POSTs are needed by others, so only they are moved and only they make a circle; operations on a
// resource that is there stay in their order.
//
// This is Tarjan's algorithm: it finds the strongly connected components of the graph, each after those that it
// leads to, and started at the operations in turn it keeps their order where nothing else asks for another.
func (b *bulk) order() {
	t := tarjan{ops: b.ops, index: make([]int, len(b.ops)), low: make([]int, len(b.ops)), on: make([]bool, len(b.ops))}
	t.steps = make([]bulkStep, 0, len(b.ops))
	for i := range b.ops {
		if t.index[i] == 0 {
			t.visit(i)
		}
	}
	b.steps = t.steps
}

type tarjan struct {
	ops   []bulkOp
	next  int
	index []int // order of discovery from 1; 0: not yet
	low   []int
	on    []bool // on the stack
	stack []int
	steps []bulkStep
}

func (t *tarjan) visit(i int) {
	t.next++
	t.index[i], t.low[i], t.on[i] = t.next, t.next, true
	t.stack = append(t.stack, i)
	for _, n := range t.ops[i].needs {
		t.follow(i, n)
	}
	if t.low[i] != t.index[i] {
		return
	}
	at := len(t.stack) - 1
	for t.stack[at] != i {
		at--
	}
	step := bulkStep{ops: slices.Clone(t.stack[at:]), culprit: -1}
	slices.Sort(step.ops)
	for _, o := range step.ops {
		t.on[o] = false
		t.ops[o].step = len(t.steps)
	}
	t.stack = t.stack[:at]
	t.steps = append(t.steps, step)
}

func (t *tarjan) follow(from, to int) {
	switch {
	case t.index[to] == 0:
		t.visit(to)
		t.low[from] = min(t.low[from], t.low[to])
	case t.on[to]:
		t.low[from] = min(t.low[from], t.index[to])
	}
}
