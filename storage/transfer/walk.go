package transfer

import (
	"context"
	"fmt"

	"rollcall/scim"
	"rollcall/storage"
)

// The sizes of pages. They bound the memory that a copy needs: a change may name a hundred thousand members, so the
// pages of changes begin small and follow what the last one held.
const (
	recordPage  = 250
	linkPage    = 2000
	changePage  = 200
	firstPage   = 8
	manyMembers = 100_000
)

// walk goes through all that an organization has, counts it, and gives it to an importer if there is one.
func (c *copier) walk(ctx context.Context, s Source, org scim.OrgID, t *tally, to storage.Importer) error {
	for _, name := range c.options.Types {
		if err := c.records(ctx, s, org, name, t, to); err != nil {
			return fmt.Errorf("%s records: %w", name, err)
		}
	}
	if err := c.links(ctx, s, org, t, to); err != nil {
		return fmt.Errorf("members: %w", err)
	}
	if err := c.changes(ctx, s, org, t, to); err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	return nil
}

func (c *copier) records(ctx context.Context, s Source, org scim.OrgID, name scim.TypeName, t *tally, to storage.Importer) error {
	for after := ""; ; {
		list, err := s.ExportRecords(ctx, org, name, after, recordPage)
		if err != nil || len(list) == 0 {
			return err
		}
		if to != nil {
			if err := to.ImportRecords(ctx, org, list); err != nil {
				return err
			}
		}
		for i := range list {
			t.record(&list[i])
		}
		after = list[len(list)-1].ID
		c.step(len(list))
	}
}

func (c *copier) links(ctx context.Context, s Source, org scim.OrgID, t *tally, to storage.Importer) error {
	for after := (*storage.Link)(nil); ; {
		list, err := s.ExportLinks(ctx, org, after, linkPage)
		if err != nil || len(list) == 0 {
			return err
		}
		if to != nil {
			if err := to.ImportLinks(ctx, org, list); err != nil {
				return err
			}
		}
		for i := range list {
			t.link(org, &list[i])
		}
		after = &list[len(list)-1]
		c.step(len(list))
	}
}

func (c *copier) changes(ctx context.Context, s Source, org scim.OrgID, t *tally, to storage.Importer) error {
	page := firstPage
	for after := storage.Position(""); ; {
		list, err := s.Changes(ctx, org, after, page)
		if err != nil || len(list) == 0 {
			return err
		}
		if to != nil {
			if err := to.ImportChanges(ctx, org, list); err != nil {
				return err
			}
		}
		members := 0
		for i := range list {
			t.change(org, &list[i])
			members += len(list[i].MembersAdded) + len(list[i].MembersRemoved)
		}
		if members > manyMembers {
			page = max(1, page/4)
		} else {
			page = min(2*page, changePage)
		}
		after = list[len(list)-1].Position
		c.step(len(list))
	}
}
