package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// entryKind is a kind of entries of the catalogue, as commands handle them.
type entryKind[T any] struct {
	path, what string // "/roles", "role"
	head       []string
	row        func(*T) []string
	pairs      func(*T) []string
	key        func(*T) string
	id         func(*T) string
}

// find finds an entry by key or id, in the list, which is small.
func (k *entryKind[T]) find(ctx context.Context, r *remote, keyOrID string) (id string, raw json.RawMessage, err error) {
	var p pageOf
	if err := r.do(ctx, http.MethodGet, k.path, nil, nil, &p); err != nil {
		return "", nil, err
	}
	list, err := decodeAll[T](p.Items)
	if err != nil {
		return "", nil, err
	}
	for i := range list {
		if k.key(&list[i]) == keyOrID || k.id(&list[i]) == keyOrID {
			return k.id(&list[i]), p.Items[i], nil
		}
	}
	return "", nil, fmt.Errorf("there is no %s %s", k.what, printable(keyOrID))
}

func (k *entryKind[T]) listCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the " + k.what + "s", Args: cobra.NoArgs}
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, _ []string) (*result, error) {
		var p pageOf
		if err := r.do(cmd.Context(), http.MethodGet, k.path, nil, nil, &p); err != nil {
			return nil, err
		}
		list, err := decodeAll[T](p.Items)
		if err != nil {
			return nil, err
		}
		return &result{p.Items, func(w io.Writer) error {
			t := newTable(w, k.head...)
			for i := range list {
				t.row(k.row(&list[i])...)
			}
			return t.flush()
		}}, nil
	})
}

func (k *entryKind[T]) showCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "show KEY|ID", Short: "Show one " + k.what, Args: cobra.ExactArgs(1)}
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		_, raw, err := k.find(cmd.Context(), r, args[0])
		if err != nil {
			return nil, err
		}
		return shown(raw, k.pairs)
	})
}

// writeCommand makes an entry, or changes the one that exists.
func (k *entryKind[T]) writeCommand(a *app, cmd *cobra.Command, create bool, body func() map[string]any) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		in, method, path := body(), http.MethodPost, k.path
		if create {
			in["key"] = args[0]
		} else {
			id, _, err := k.find(cmd.Context(), r, args[0])
			if err != nil {
				return nil, err
			}
			method, path = http.MethodPatch, k.path+"/"+url.PathEscape(id)
		}
		var raw json.RawMessage
		if err := r.do(cmd.Context(), method, path, nil, in, &raw); err != nil {
			return nil, err
		}
		return shown(raw, k.pairs)
	})
}

func (k *entryKind[T]) deleteCommand(a *app) *cobra.Command {
	yes := false
	cmd := &cobra.Command{Use: "delete KEY|ID", Short: "Delete a " + k.what + " that nobody has", Args: cobra.ExactArgs(1)}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return a.converse(cmd, func(cmd *cobra.Command, r *remote, args []string) (*result, error) {
		id, _, err := k.find(cmd.Context(), r, args[0])
		if err != nil {
			return nil, err
		}
		if err := a.confirm(yes, "This deletes the "+k.what+" "+args[0]+" for good."); err != nil {
			return nil, err
		}
		if err := r.do(cmd.Context(), http.MethodDelete, k.path+"/"+url.PathEscape(id), nil, nil, nil); err != nil {
			return nil, err
		}
		return said(map[string]string{"deleted": id}, "Deleted %s %s.", k.what, args[0]), nil
	})
}

// fields collects the flags that were given as the fields of a body.
type fields struct {
	cmd  *cobra.Command
	from map[string]func() any // flag: value
	name map[string]string     // flag: name of the field
}

func newFields(cmd *cobra.Command) *fields {
	return &fields{cmd, map[string]func() any{}, map[string]string{}}
}

func (f *fields) add(flag, name string, value func() any) { f.from[flag], f.name[flag] = value, name }

func (f *fields) text(flag, name, help string) {
	p := f.cmd.Flags().String(flag, "", help)
	f.add(flag, name, func() any { return *p })
}

func (f *fields) texts(flag, name, help string) {
	p := f.cmd.Flags().StringSlice(flag, nil, help)
	f.add(flag, name, func() any { return append([]string{}, *p...) })
}

func (f *fields) number(flag, name, help string) {
	p := f.cmd.Flags().Int(flag, 0, help)
	f.add(flag, name, func() any { return *p })
}

func (f *fields) yes(flag, name, help string) {
	p := f.cmd.Flags().Bool(flag, false, help)
	f.add(flag, name, func() any { return *p })
}

// body is what was given.
func (f *fields) body() map[string]any {
	in := map[string]any{}
	for flag, value := range f.from {
		if f.cmd.Flags().Changed(flag) {
			in[f.name[flag]] = value()
		}
	}
	return in
}
