package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"rollcall/scim"
	"rollcall/scim/filter"
	"rollcall/scim/projection"
	"rollcall/scim/query"
	"rollcall/scim/schema"
)

// list answers GET of a collection (RFC 7644 3.4.2).
func (x *exchange) list() error {
	t := x.route.typ
	if err := x.authorize(t, false); err != nil {
		return err
	}
	p, err := queryParams(x.req.URL.RawQuery)
	if err != nil {
		return err
	}
	return x.run([]*endpointType{t}, p)
}

// search answers POST to a collection's .search (RFC 7644 3.4.3).
func (x *exchange) search() error {
	t := x.route.typ
	if err := x.authorize(t, false); err != nil {
		return err
	}
	p, err := x.searchRequest()
	if err != nil {
		return err
	}
	return x.run([]*endpointType{t}, p)
}

// listAll answers GET of the root: every type that the token may read (RFC 7644 3.4.2.1).
func (x *exchange) listAll() error {
	p, err := queryParams(x.req.URL.RawQuery)
	if err != nil {
		return err
	}
	return x.runAll(p)
}

// searchAll answers POST to the root's .search.
func (x *exchange) searchAll() error {
	p, err := x.searchRequest()
	if err != nil {
		return err
	}
	return x.runAll(p)
}

func (x *exchange) searchRequest() (*params, error) {
	body, err := x.body(x.api.limits.Body, x.api.limits.Depth)
	if err != nil {
		return nil, err
	}
	return searchParams(body)
}

func (x *exchange) runAll(p *params) error {
	types := x.readable()
	if len(types) == 0 {
		return x.lacks(scim.ScopeSCIMRead)
	}
	return x.run(types, p)
}

// run puts a query together, asks the service for one page and sends it.
func (x *exchange) run(types []*endpointType, p *params) error {
	q := query.Query{Sources: make([]query.Source, len(types)), Desc: p.descending, Total: true}
	selections := make([]*projection.Selection, len(types))
	for i, t := range types {
		sel, err := x.project(t, p)
		if err != nil {
			return err
		}
		selections[i] = sel
		l := load(t, sel)
		q.Load.Members = q.Load.Members || l.Members
		q.Load.Groups = q.Load.Groups || l.Groups
		q.Load.Computed = q.Load.Computed || l.Computed
		q.Load.Asked = append(q.Load.Asked, l.Asked...)
		q.Sources[i].Type = t.Name
	}
	if err := x.where(types, p, &q); err != nil {
		return err
	}
	if err := x.order(types, p, &q); err != nil {
		return err
	}
	window, err := x.page(types, p, &q)
	if err != nil {
		return err
	}
	// The documents of a page, more than anything else that answering it takes, lie in memory that is used again and
	// again: it is not cleared for each page, and the collector has nothing to do with it.
	documents := x.api.pageMemory()
	defer x.api.pages.Put(documents)
	q.Load.Memory = *documents
	page, err := x.api.service.Query(x.ctx, x.caller, q)
	if err != nil {
		return err
	}
	return x.sendPage(types, selections, page, window)
}

// where compiles the filter for each type. An attribute that some of several types do not define has no value there
// (RFC 7644 3.4.2.1); one that none of them defines is a mistake.
func (x *exchange) where(types []*endpointType, p *params, q *query.Query) error {
	if !p.filtered {
		return nil
	}
	opt := filter.Options{Session: x.caller.Compat, BaseURL: x.base(), Limits: x.api.limits.Filter}
	strangers := map[string]int{} // by name: how many types do not define it
	for i, t := range types {
		if len(types) > 1 {
			seen := map[string]bool{}
			opt.Unknown = func(name string) bool {
				if !seen[name] {
					seen[name] = true
					strangers[name]++
				}
				return true
			}
		}
		e, err := filter.CompileText(t.ResourceType, p.filter, opt)
		if err != nil {
			return err
		}
		q.Sources[i].Where = e
	}
	for _, name := range slices.Sorted(maps.Keys(strangers)) {
		if strangers[name] == len(types) {
			return scim.InvalidFilter("%v", &schema.UnknownError{Name: name})
		}
	}
	return nil
}

// order resolves sortBy for each type (RFC 7644 3.4.2.3): at least one must define the attribute.
func (x *exchange) order(types []*endpointType, p *params, q *query.Query) error {
	if p.sortBy == "" {
		q.Desc = false
		return nil
	}
	var refused error
	for i, t := range types {
		f, err := x.sortField(t, p.sortBy)
		var unknown *schema.UnknownError
		switch {
		case err == nil:
			q.Sources[i].Sort, q.Sorted = f, true
		case errors.As(err, &unknown):
			refused = scim.InvalidValue("sortBy", "%v", unknown)
		default:
			return err
		}
	}
	if !q.Sorted {
		return refused
	}
	return nil
}

func (x *exchange) sortField(t *endpointType, name string) (*query.Field, error) {
	path, err := t.ParsePath(name, x.caller.Compat)
	if err != nil {
		return nil, err
	}
	if path.Attr == nil {
		return nil, scim.InvalidValue("sortBy", "%s is an extension, not an attribute", path)
	}
	if path.Target().Kind == query.Complex {
		// `emails` means emails.value, as in a filter.
		if path.Sub = path.Attr.Lookup("value"); path.Sub == nil {
			return nil, scim.InvalidValue("sortBy", "%s is complex: name a sub-attribute", path)
		}
	}
	relation := !path.Extension && (path.Attr.Name == t.Members || path.Attr.Name == t.Groups)
	if relation || !path.Attr.Readable() || !path.Target().Readable() {
		return nil, scim.InvalidValue("sortBy", "%s cannot be sorted by", path)
	}
	f := path.Field()
	return &f, nil
}

// sendPage sends a ListResponse (RFC 7644 3.4.2, RFC 9865 2).
func (x *exchange) sendPage(types []*endpointType, selections []*projection.Selection, page *query.Page, w window) error {
	buf := x.api.buffer()
	defer x.api.release(buf)
	out := append(*buf, `{"schemas":["`+scim.MessageListResponse+`"],"totalResults":`...)
	out = strconv.AppendInt(out, int64(page.Total), 10)
	if !w.byCursor {
		out = append(out, `,"startIndex":`...)
		out = strconv.AppendInt(out, int64(w.start), 10)
	}
	out = append(out, `,"itemsPerPage":`...)
	out = strconv.AppendInt(out, int64(len(page.Resources)), 10)
	if w.byCursor {
		previous, next := x.cursors(page, w)
		if previous != "" {
			out = append(append(append(out, `,"previousCursor":"`...), previous...), '"')
		}
		if next != "" {
			out = append(append(append(out, `,"nextCursor":"`...), next...), '"')
		}
	}
	out = append(out, `,"Resources":[`...)
	for i := range page.Resources {
		r := &page.Resources[i]
		if i > 0 {
			out = append(out, ',')
		}
		n := slices.IndexFunc(types, func(t *endpointType) bool { return t.Name == r.Type })
		if n < 0 {
			return errors.New("a resource of a type that was not asked for")
		}
		var err error
		if out, err = x.appendResource(out, types[n], selections[n], r); err != nil {
			return err
		}
	}
	out = append(out, `]}`...)
	*buf = out
	x.send(http.StatusOK, out)
	return nil
}
