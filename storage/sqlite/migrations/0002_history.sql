-- The history of one record; seq, the rowid, comes with every index.
CREATE INDEX changes_by_id ON changes (id);
