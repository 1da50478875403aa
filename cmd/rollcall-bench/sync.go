package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// fullSync is a first synchronization: all users and groups through Bulk into an empty server.
type fullSync struct {
	Users   int     `json:"users"`
	Groups  int     `json:"groups"`
	Members int     `json:"members"` // of each group
	Seconds float64 `json:"seconds"`
	Memory  int64   `json:"memory"` // peak, bytes resident
}

const (
	syncGroups       = 1000
	syncMembers      = 100
	groupsInABulk    = 100
	fullSyncSeconds  = 15 // target
	fullSyncParallel = 4  // connections, as a client that is in a hurry has them
)

// measureFullSync starts a server of its own, as the one that is measured has data.
func measureFullSync(ctx context.Context, o options, users int, stderr io.Writer) (f *fullSync, err error) {
	dir, err := os.MkdirTemp("", "rollcall-sync")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := startRollcall(ctx, o, dir, stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	ids := make([]string, users)
	f = &fullSync{Users: users, Groups: syncGroups, Members: min(syncMembers, users)}
	start := time.Now()
	err = inParallel(ctx, s.addr, (users+bulkSize-1)/bulkSize, func(c *client, k int) error {
		from, to := k*bulkSize, min((k+1)*bulkSize, users)
		created, err := c.bulk(token, bulkUsers(from, to, "s"))
		copy(ids[from:to], created)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = inParallel(ctx, s.addr, syncGroups/groupsInABulk, func(c *client, k int) error {
		_, err := c.bulk(token, bulkGroups(k*groupsInABulk, ids, f.Members))
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Seconds = time.Since(start).Seconds()
	_, f.Memory = s.memory()
	return f, nil
}

func bulkGroups(from int, ids []string, members int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`)
	for n := from; n < from+groupsInABulk; n++ {
		if n > from {
			b.WriteByte(',')
		}
		list := make([]string, members)
		for i := range list {
			list[i] = ids[(n*members+i)%len(ids)]
		}
		fmt.Fprintf(&b, `{"method":"POST","path":"/Groups","bulkId":"g%d","data":%s}`, n, groupDoc(fmt.Sprintf("sync-%d", n), list))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// inParallel runs f for 0 to n-1 on several connections; the first error ends it.
func inParallel(ctx context.Context, addr string, n int, f func(c *client, k int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(fullSyncParallel, n) {
		c, err := dial(addr)
		if err != nil {
			cancel(err)
			break
		}
		wg.Go(func() {
			defer c.close()
			for k := range next {
				if err := f(c, k); err != nil {
					cancel(err)
				}
			}
		})
	}
	for k := 0; k < n && ctx.Err() == nil; k++ {
		select {
		case next <- k:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (f *fullSync) String() string {
	met := "met"
	if f.Seconds > fullSyncSeconds {
		met = "MISSED"
	}
	return fmt.Sprintf("full sync of %d users and %d groups of %d on %d connections: %.1f s (target %d, %s), %d MB resident at most",
		f.Users, f.Groups, f.Members, fullSyncParallel, f.Seconds, fullSyncSeconds, met, f.Memory>>20)
}
