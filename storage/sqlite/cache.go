package sqlite

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"

	"rollcall/scim/query"
	"rollcall/storage"
)

// DefaultCache is how much the cache of records takes if Options do not say. It holds some 200,000 users.
const DefaultCache = 96 << 20

// cache keeps committed records ready to be served, and which record holds a unique key. Its memory is outside of
// Go's heap, so that the collector neither walks nor doubles it.
//
// It never gives what is not so (docs/adr/0010-read-cache.md). The writer numbers its transactions; done is the last
// one that ended, so a snapshot that begins after done was read has all of them up to it. A transaction touches the
// key of everything that it changes before it commits: touching notes the transaction in the key's stripe and drops
// the entry. From this follow the two rules:
//
//   - A reader that read done = n before its snapshot began may put what it read only if no transaction after n has
//     touched the stripe: then what it read is the newest committed state. So an entry that is there always is.
//   - A query that read done = n before its snapshot began may use an entry only if no transaction after n has
//     touched the stripe: then what it finds is what its snapshot would show.
//
// What a change of groups does to their members is noted for the organization as a whole where it concerns more than
// the members that are named (relations).
type cache struct {
	c       *fastcache.Cache // nil: nothing is kept, only nested is known
	seed    maphash.Seed
	txn     int64 // the open transaction; for the writer
	begun   atomic.Int64
	ended   atomic.Int64
	stripes [4096]stripe
	orgs    [256]orgMarks // by organization code, several may share one
	packers sync.Map      // type code -> *packer
}

// stripe is what some keys share.
type stripe struct {
	mu      sync.Mutex // a touch and a put of one stripe exclude each other
	touched atomic.Int64
	touches int64 // how many there were
}

type orgMarks struct {
	// relations is the last transaction that changed the groups of more resources than it touched: a group's label,
	// or groups in groups.
	relations atomic.Int64
	// nested: there may be groups in groups. It stays once it is set.
	nested atomic.Bool
}

func newCache(size int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	if size == 0 {
		size = DefaultCache
	}
	if size > 0 {
		c.c = fastcache.New(int(size))
	}
	return c
}

func (c *cache) close() {
	if c.c != nil {
		c.c.Reset()
	}
}

// begin numbers the transaction that the writer begins.
func (c *cache) begin() {
	c.txn = c.ended.Load() + 1
	c.begun.Store(c.txn)
}

// end is called when the transaction has been committed or rolled back, before anything in it is acknowledged.
func (c *cache) end() { c.ended.Store(c.txn) }

// done is the last transaction that ended.
func (c *cache) done() int64 { return c.ended.Load() }

func (c *cache) org(code int64) *orgMarks { return &c.orgs[uint64(code)%uint64(len(c.orgs))] }

func (c *cache) stripe(key []byte) *stripe {
	return &c.stripes[maphash.Bytes(c.seed, key)%uint64(len(c.stripes))]
}

// touch notes that the transaction changes what key stands for. The number that it returns is for replace.
func (c *cache) touch(key []byte) int64 {
	if c.c == nil || key == nil {
		return 0
	}
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched.Store(c.txn)
	s.touches++
	c.c.Del(key)
	return s.touches
}

// replace keeps what a transaction that is committed wrote itself, if nothing has touched the stripe since the
// touch that was for it.
func (c *cache) replace(key, value []byte, touch int64) {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touches == touch {
		c.c.Set(key, value)
	}
}

// put keeps what was read in a snapshot that began when done was at.
func (c *cache) put(key, value []byte, at int64) {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touched.Load() <= at {
		c.c.Set(key, value)
	}
}

// get appends the entry of key to dst if it is the state that a snapshot has which began when done was at.
func (c *cache) get(dst, key []byte, at int64) ([]byte, bool) {
	value, found := c.c.HasGet(dst, key)
	// In this order: an entry that was there while nothing later has touched it is the one wanted.
	return value, found && c.stripe(key).touched.Load() <= at
}

// The hooks of the writer. All are called before the commit.

// touchRecord: the record or the groups that it belongs to change.
func (c *cache) touchRecord(org int64, id string) int64 {
	var b keyBuffer
	return c.touch(recordKey(b[:0], org, id))
}

// touchUnique: who holds a unique key changes.
func (c *cache) touchUnique(org int64, k key) {
	var b keyBuffer
	c.touch(uniqueKey(b[:0], org, k))
}

// touchRows: rows of idx are added or removed.
func (c *cache) touchRows(org int64, rows []row) {
	for i := range rows {
		if r := &rows[i]; r.attr.watch.asked.Load() && r.value.t == isText && !r.inUniq() {
			c.touchUnique(org, key{r.attr.code, r.value.s})
		}
	}
}

// watch says whether who has a value of an index may be kept, as it is for unique keys. The writer touches the values
// of only those indexes that somebody has looked up a value in, since a user has many that nobody ever does.
type watch struct {
	asked atomic.Bool
	since atomic.Int64 // 1 + the last transaction that may have begun before asked was set, 0 before
}

// watched reports whether what was read in a snapshot that began when done was at may be put: whether each transaction
// after it touches the values. The first one that began without knowing of the watch had begun when it was asked for.
func (c *cache) watched(a *attr, at int64) bool {
	w := &a.watch
	if !w.asked.Load() {
		w.asked.Store(true)
		w.since.Store(c.begun.Load() + 1) // in this order
	}
	since := w.since.Load()
	return since != 0 && at >= since-1
}

// touchRelations: the groups of resources change that are not touched one by one.
func (c *cache) touchRelations(org int64) { c.org(org).relations.Store(c.txn) }

// The keys of entries.
const (
	recordEntry = iota
	uniqueEntry
)

// keyBuffer is room for most keys.
type keyBuffer [96]byte

// recordKey is nil for an id that is no canonical UUID: its record is not kept. An id is unique over all types.
func recordKey(dst []byte, org int64, id string) []byte {
	var b [16]byte
	if !parseUUID(&b, id) {
		return nil
	}
	return uuidKey(dst, org, &b)
}

func uuidKey(dst []byte, org int64, id *[16]byte) []byte {
	return append(appendInt(append(dst, recordEntry), org), id[:]...)
}

func uniqueKey(dst []byte, org int64, k key) []byte {
	return append(appendInt(appendInt(append(dst, uniqueEntry), org), k.attr), k.value...)
}

// cached reports whether the records of a type are kept with what load asks for. Members are not: a group may have
// very many. Secrets should be in memory no longer than they are needed.
func (s *Store) cached(load query.Load, t *resourceType) bool {
	return s.cache.c != nil && !load.Secret && (!load.Members || t.Members == "")
}

// cachedRecord returns the newest state of a record, nil if the cache does not have it.
func (s *Store) cachedRecord(org int64, t *resourceType, k storage.Key, load query.Load) *storage.Record {
	rec := &storage.Record{Key: k}
	var kb keyBuffer
	if s.fromCache(rec, recordKey(kb[:0], org, k.ID), org, t, load, newest, &arena{}) {
		return rec
	}
	return nil
}

// newest is the at of somebody who has no snapshot to agree with.
const newest = math.MaxInt64

// fromCache fills rec but for its Key from the entry key if that is as load and at ask for; at as for get.
func (s *Store) fromCache(rec *storage.Record, key []byte, org int64, t *resourceType, load query.Load, at int64, a *arena) bool {
	if key == nil {
		return false
	}
	value, ok := s.cache.get(a.packed[:0], key, at)
	a.packed = value
	if !ok {
		return false
	}
	e, ok := parseEntry(value)
	if !ok || e.typ != t.code {
		return false
	}
	wanted := load.Groups && t.Groups != ""
	if wanted {
		// The groups were read in a snapshot that began at e.at: nothing may have changed them since, nor after at.
		last := s.cache.org(org).relations.Load()
		if !e.groups || last > e.at || last > at {
			return false
		}
	}
	return s.cache.packer(t.code).unpack(rec, &e, wanted, a)
}

// rest is what of a row is no part of a record that is read.
type rest struct {
	rid     int64
	keys    []byte // as in res.keys
	secrets bool   // there are some
}

// keep puts a record that was read in a snapshot that began when done was at, and that it holds its unique keys,
// for they are what a client will look for it by.
func (s *Store) keep(org int64, t *resourceType, rec *storage.Record, row rest, groups bool, at int64) {
	var kb keyBuffer
	key := recordKey(kb[:0], org, rec.ID)
	if key == nil {
		return
	}
	var room [2048]byte
	value := s.cache.packer(t.code).pack(room[:0], t.code, row.rid, rec, groups && t.Groups != "", !row.secrets, at)
	if len(value) < maxEntry {
		s.cache.put(key, value, at)
	}
	var b [16]byte
	held, err := parseKeys(row.keys)
	if err != nil || !parseUUID(&b, rec.ID) {
		return
	}
	for _, k := range held {
		if len(k.value) <= maxLookup && t.holds(k) {
			s.cache.put(uniqueKey(kb[:0], org, k), b[:], at)
		}
	}
}

// maxEntry: longer ones are not kept by fastcache.
const maxEntry = 60_000

// maxLookup is the longest value whose holder is kept: a longer one would cost more to keep than to find.
const maxLookup = 255

// holds reports whether a filter may look for k as a unique key.
func (t *resourceType) holds(k key) bool {
	for _, a := range t.attrs {
		if a.uniq && a.code == k.attr {
			return true
		}
	}
	return false
}
