package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"rollcall/metrics"
)

// conversation does one thing by way of the companion API.
type conversation func(cmd *cobra.Command, r *remote, args []string) (*result, error)

// converse makes cmd do something by way of the companion API.
func (a *app) converse(cmd *cobra.Command, do conversation) *cobra.Command {
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	w := bindWhere(cmd, a.env)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		r, err := w.connect(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.close()) }()
		res, err := do(cmd, r, args)
		switch {
		case res == nil:
			return err
		case *asJSON && res.data != nil:
			return errors.Join(printJSON(a.stdout, res.data), err)
		default:
			return errors.Join(res.text(a.stdout), err)
		}
	}
	return cmd
}

// errNothingDone ends a command that was not confirmed.
var errNothingDone = errors.New("nothing was done: add --yes if that is what you want")

// confirm shows what is about to happen and refuses without --yes.
func (a *app) confirm(yes bool, about string, statements ...string) error {
	fmt.Fprintln(a.stderr, printable(about))
	for _, s := range statements {
		fmt.Fprintln(a.stderr, "- "+printable(s))
	}
	if !yes {
		return errNothingDone
	}
	return nil
}

// listFlags are what all lists have.
type listFlags struct{ limit int }

func bindList(cmd *cobra.Command) *listFlags {
	l := &listFlags{}
	cmd.Flags().IntVar(&l.limit, "limit", 1000, "most items to print, up to 100000")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if l.limit < 1 || l.limit > 100_000 {
			return usageError{errors.New("--limit: must be 1 to 100000")}
		}
		return nil
	}
	return l
}

// listing is a command that prints a list: each item as a row.
func listing[T any](a *app, cmd *cobra.Command, path func(args []string) string, query func() url.Values, head []string, row func(*T) []string) *cobra.Command {
	l := bindList(cmd)
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var q url.Values
		if query != nil {
			q = query()
		}
		items, more, err := r.list(cmd.Context(), path(args), q, l.limit)
		if err != nil {
			return nil, err
		}
		list, err := decodeAll[T](items)
		if err != nil {
			return nil, err
		}
		if more {
			fmt.Fprintf(a.stderr, "There are more than these %d: --limit prints more of them.\n", len(list))
		}
		return &result{items, func(w io.Writer) error {
			t := newTable(w, head...)
			for i := range list {
				t.row(row(&list[i])...)
			}
			return t.flush()
		}}, nil
	})
}

// always is the path of a list that has no arguments.
func always(path string) func([]string) string { return func([]string) string { return path } }

// set puts a filter into a query, if it is one.
func setQuery(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// details prints names and values, one pair a line; pairs without a value are left out.
func details(w io.Writer, pairs ...string) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			t.row(pairs[i]+":", pairs[i+1])
		}
	}
	return t.flush()
}

// showing is a command that prints one thing.
func showing[T any](a *app, cmd *cobra.Command, path func(args []string) string, pairs func(*T) []string) *cobra.Command {
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		var raw json.RawMessage
		if err := r.do(cmd.Context(), http.MethodGet, path(args), nil, nil, &raw); err != nil {
			return nil, err
		}
		return shown(raw, pairs)
	})
}

// shown is an answer as a result.
func shown[T any](raw json.RawMessage, pairs func(*T) []string) (*result, error) {
	var v T
	if json.Unmarshal(raw, &v) != nil {
		return nil, errNotCompanion
	}
	return &result{raw, func(w io.Writer) error { return details(w, pairs(&v)...) }}, nil
}

// said is a result of one sentence.
func said(data any, format string, args ...any) *result {
	return &result{data, func(w io.Writer) error {
		_, err := io.WriteString(w, printable(fmt.Sprintf(format, args...))+"\n")
		return err
	}}
}

// one is the argument of a command as a part of a path.
func one(before, after string) func([]string) string {
	return func(args []string) string { return before + url.PathEscape(args[0]) + after }
}

// outcomeOf is what became of one of several.
type outcomeOf struct {
	ID     string          `json:"id"`
	Error  string          `json:"error,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

// each does something to every one of ids; what fails does not keep the others from being done.
func each(ids []string, done string, do func(id string) (json.RawMessage, error)) (*result, error) {
	list := make([]outcomeOf, len(ids))
	failed := 0
	for i, id := range ids {
		raw, err := do(id)
		list[i] = outcomeOf{ID: id, Answer: raw}
		if err != nil {
			if len(ids) == 1 {
				return nil, err
			}
			list[i].Error = err.Error()
			failed++
		}
	}
	res := &result{list, func(w io.Writer) error {
		var b strings.Builder
		for _, o := range list {
			text := done
			if o.Error != "" {
				text = o.Error
			}
			b.WriteString(printable(o.ID) + ": " + text + "\n")
		}
		_, err := io.WriteString(w, b.String())
		return err
	}}
	if failed > 0 {
		return res, fmt.Errorf("%d of %d were refused", failed, len(ids))
	}
	return res, nil
}

// quietMetrics are metrics that nobody reads.
func quietMetrics() (*metrics.Metrics, error) {
	return metrics.New(prometheus.NewRegistry(), metrics.Options{})
}

// many is a command that does one thing to each of its arguments.
func (a *app) many(cmd *cobra.Command, done string, path func([]string) string, body func() any) *cobra.Command {
	cmd.Args = cobra.MinimumNArgs(1)
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		return each(args, done, func(id string) (json.RawMessage, error) {
			var in any
			if body != nil {
				in = body()
			}
			var raw json.RawMessage
			err := r.do(cmd.Context(), http.MethodPost, path([]string{id}), nil, in, &raw)
			return raw, err
		})
	})
}
