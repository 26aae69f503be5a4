-- The most frequent kinds of the lines of a source that fit nothing: see gatepost.UnknownLines.
CREATE TABLE _unknown (
	source INTEGER NOT NULL REFERENCES _sources (id),
	kind   TEXT    NOT NULL,
	count  INTEGER NOT NULL, -- at least
	missed INTEGER NOT NULL, -- at most so many more
	weight INTEGER NOT NULL,
	sample TEXT    NOT NULL,
	offset INTEGER NOT NULL,
	length INTEGER NOT NULL,
	line   INTEGER NOT NULL,
	PRIMARY KEY (source, kind)
) WITHOUT ROWID;

CREATE VIEW unknown AS
SELECT u.source, s.path AS file, u.count, u.count + u.missed AS at_most, u.kind, u.sample, u.line, u.offset, u.length
FROM _unknown u JOIN _sources s ON s.id = u.source;
