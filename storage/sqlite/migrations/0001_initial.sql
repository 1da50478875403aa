-- Small stable integers for what every key begins with.
CREATE TABLE orgs  (code INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE types (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- spec tells how the attribute's index was built; empty: none, the attribute is only a unique key.
CREATE TABLE attrs (code INTEGER PRIMARY KEY, type INTEGER NOT NULL, path TEXT NOT NULL, spec TEXT NOT NULL,
  UNIQUE (type, path)) STRICT;

-- keys: the unique keys as (attribute code, value) pairs; secret: attributes that are never returned, as JSON.
-- Ids are 16-byte blobs where the text is a canonical UUID, else text.
CREATE TABLE res (rid INTEGER PRIMARY KEY, org INTEGER NOT NULL, type INTEGER NOT NULL, id NOT NULL,
  version INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, keys BLOB, secret BLOB,
  doc BLOB NOT NULL);
CREATE TABLE ids (org INTEGER NOT NULL, type INTEGER NOT NULL, id NOT NULL, rid INTEGER NOT NULL,
  label TEXT NOT NULL, PRIMARY KEY (org, type, id)) WITHOUT ROWID;
CREATE TABLE uniq (attr INTEGER NOT NULL, org INTEGER NOT NULL, value NOT NULL, id NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY (attr, org, value)) WITHOUT ROWID;
-- first: 1 if the resource is sorted by this value; the empty blob stands for "no value to sort by", with first 2
-- if the attribute is present nevertheless.
CREATE TABLE idx (attr INTEGER NOT NULL, org INTEGER NOT NULL, value NOT NULL, id NOT NULL, rid INTEGER NOT NULL,
  first INTEGER NOT NULL, PRIMARY KEY (attr, org, value, id)) WITHOUT ROWID;

-- mtype 0: no resource has the member's id yet.
CREATE TABLE members (org INTEGER NOT NULL, grp NOT NULL, mtype INTEGER NOT NULL, member NOT NULL,
  PRIMARY KEY (org, grp, mtype, member)) WITHOUT ROWID;
CREATE INDEX members_by_member ON members (org, member, grp);
-- Spellings of member ids that folding changes, for fields that ignore case.
CREATE TABLE spellings (org INTEGER NOT NULL, folded TEXT NOT NULL, member TEXT NOT NULL,
  PRIMARY KEY (org, folded, member)) STRICT, WITHOUT ROWID;

-- n records of a type; type 0: n membership rows whose member is itself a group; type -1: n rows of pending members.
CREATE TABLE counts (org INTEGER NOT NULL, type INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (org, type))
  STRICT, WITHOUT ROWID;

-- seq is organization code << 40 | number: the feed of one organization is one range.
CREATE TABLE changes (seq INTEGER PRIMARY KEY, type INTEGER NOT NULL, id NOT NULL, version INTEGER NOT NULL,
  at INTEGER NOT NULL, op TEXT NOT NULL, actor_kind TEXT NOT NULL, actor_id TEXT NOT NULL, actor_name TEXT NOT NULL,
  request TEXT NOT NULL, vals BLOB, added BLOB, removed BLOB);

CREATE TABLE organizations (id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (id TEXT PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
  scopes TEXT NOT NULL, profile TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER, revoked INTEGER,
  last_used INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_org ON tokens (org, created, id);
CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
