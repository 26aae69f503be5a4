-- Tables whose names begin with an underscore are the program's own. In them a time is the raw
-- stamp of its source in nanoseconds (-9223372036854775808: none) and a duration is in
-- nanoseconds (-1: not known). Views without the underscore are for people and stay stable.

CREATE TABLE _sources (
	id            INTEGER PRIMARY KEY,
	path          TEXT    NOT NULL,
	host          TEXT    NOT NULL,
	strand        TEXT    NOT NULL, -- whose lines of the file, where several programs write into it
	format        TEXT    NOT NULL,
	dialect       TEXT    NOT NULL,
	bytes         INTEGER NOT NULL,
	lines         INTEGER NOT NULL,
	requests      INTEGER NOT NULL,
	events        INTEGER NOT NULL,
	unparsed      INTEGER NOT NULL,
	first         INTEGER NOT NULL,
	last          INTEGER NOT NULL,
	stamps        INTEGER NOT NULL,
	resolution    INTEGER NOT NULL,
	shift         INTEGER NOT NULL,
	steps         TEXT    NOT NULL, -- JSON: [[from, shift], ...]
	zone          TEXT    NOT NULL,
	how           TEXT    NOT NULL,
	votes         INTEGER NOT NULL,
	sigma         INTEGER NOT NULL,
	position      INTEGER NOT NULL,
	position_line INTEGER NOT NULL,
	head_size     INTEGER NOT NULL,
	head          INTEGER NOT NULL,
	tail_size     INTEGER NOT NULL,
	tail          INTEGER NOT NULL,
	kept          INTEGER NOT NULL, -- offset up to which the entries of a strand are stored
	kept_line     INTEGER NOT NULL,
	problem       TEXT    NOT NULL,
	-- The longest time that a chunk covers, in nanoseconds: it bounds how far before a window a
	-- chunk can begin that still reaches into it.
	span          REAL    NOT NULL DEFAULT 0
);
CREATE INDEX _sources_by_head ON _sources (head, head_size);

CREATE TABLE _events (
	id       INTEGER PRIMARY KEY,
	source   INTEGER NOT NULL REFERENCES _sources (id),
	offset   INTEGER NOT NULL,
	length   INTEGER NOT NULL,
	line     INTEGER NOT NULL,
	time     INTEGER NOT NULL,
	kind     TEXT    NOT NULL,
	hash     INTEGER NOT NULL,
	pid      INTEGER NOT NULL,
	by       INTEGER NOT NULL,
	status   INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	sql      INTEGER NOT NULL,
	queries  INTEGER NOT NULL,
	number   INTEGER NOT NULL,
	method   TEXT    NOT NULL,
	path     TEXT    NOT NULL,
	client   TEXT    NOT NULL,
	upstream TEXT    NOT NULL,
	db       TEXT    NOT NULL,
	key      INTEGER NOT NULL,
	phase    TEXT    NOT NULL,
	attempts TEXT    NOT NULL, -- JSON, '' when there are none
	name     TEXT    NOT NULL,
	text     TEXT    NOT NULL,
	pids     TEXT    NOT NULL  -- JSON, '' when there are none
);
CREATE INDEX _events_by_time ON _events (source, time, offset);

-- Ordinary requests, some thousands of one source and lane in a compressed blob.
CREATE TABLE _chunks (
	id       INTEGER PRIMARY KEY,
	source   INTEGER NOT NULL REFERENCES _sources (id),
	lane     INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	requests INTEGER NOT NULL,
	data     BLOB    NOT NULL
);
CREATE INDEX _chunks_by_time ON _chunks (source, first, last, lane, requests);

CREATE TABLE _seconds (
	source   INTEGER NOT NULL REFERENCES _sources (id),
	second   INTEGER NOT NULL, -- raw, Unix
	requests INTEGER NOT NULL,
	s499     INTEGER NOT NULL,
	s500     INTEGER NOT NULL,
	s502     INTEGER NOT NULL,
	s503     INTEGER NOT NULL,
	s504     INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	PRIMARY KEY (source, second)
) WITHOUT ROWID;

CREATE TABLE _statuses (
	source   INTEGER NOT NULL REFERENCES _sources (id),
	status   INTEGER NOT NULL,
	requests INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	PRIMARY KEY (source, status)
) WITHOUT ROWID;

CREATE TABLE _routes (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE TABLE _unparsed (
	source INTEGER NOT NULL REFERENCES _sources (id),
	offset INTEGER NOT NULL,
	length INTEGER NOT NULL,
	line   INTEGER NOT NULL,
	PRIMARY KEY (source, offset)
) WITHOUT ROWID;

CREATE TABLE _settings (
	ordinal INTEGER PRIMARY KEY,
	program TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	value   TEXT    NOT NULL,
	scope   TEXT    NOT NULL,
	file    TEXT    NOT NULL,
	line    INTEGER NOT NULL
);

-- Verdicts are on the common clock. They are replaced as a whole, some thousand failures at a time: until the
-- last one is there, no view shows any.
CREATE TABLE _judgement (complete INTEGER NOT NULL);
INSERT INTO _judgement VALUES (0);

-- What a verdict rests on: the failures of one outage mostly share it.
CREATE TABLE _arguments (
	argument   INTEGER PRIMARY KEY,
	cause      TEXT    NOT NULL,
	instance   TEXT    NOT NULL,
	via        TEXT    NOT NULL,
	confidence REAL    NOT NULL,
	state      TEXT    NOT NULL,
	rivals     TEXT    NOT NULL, -- JSON
	missing    TEXT    NOT NULL  -- JSON
);

CREATE TABLE _failures (
	ordinal  INTEGER PRIMARY KEY,
	id       TEXT    NOT NULL,
	source   INTEGER NOT NULL,
	offset   INTEGER NOT NULL,
	length   INTEGER NOT NULL,
	line     INTEGER NOT NULL,
	time     INTEGER NOT NULL,
	start    INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	status   INTEGER NOT NULL,
	method   TEXT    NOT NULL,
	path     TEXT    NOT NULL,
	client   TEXT    NOT NULL,
	upstream TEXT    NOT NULL,
	phase    TEXT    NOT NULL,
	incident TEXT    NOT NULL,
	argument INTEGER NOT NULL,
	-- The time as the view shows it: what people ask for is what an index must hold.
	at       TEXT    AS (strftime('%Y-%m-%dT%H:%M:%fZ', nullif(time, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch'))
);
CREATE INDEX _failures_by_id ON _failures (id);
CREATE INDEX _failures_by_time ON _failures (at, source, offset);
CREATE INDEX _failures_by_incident ON _failures (incident);

CREATE TABLE _incidents (
	ordinal    INTEGER PRIMARY KEY,
	id         TEXT    NOT NULL,
	outage     INTEGER NOT NULL, -- 1: trouble without an entry in the ledger
	began      INTEGER NOT NULL,
	ended      INTEGER NOT NULL,
	cause      TEXT    NOT NULL,
	instance   TEXT    NOT NULL,
	title      TEXT    NOT NULL,
	confidence REAL    NOT NULL,
	state      TEXT    NOT NULL,
	argument   INTEGER NOT NULL, -- of which there is only the evidence
	failures   INTEGER NOT NULL,
	clients    INTEGER NOT NULL,
	statuses   TEXT    NOT NULL, -- JSON, as are all below
	chain      TEXT    NOT NULL,
	rivals     TEXT    NOT NULL,
	missing    TEXT    NOT NULL,
	fix        TEXT    NOT NULL,
	film       TEXT    NOT NULL  -- who held the workers; null where they have no part in it
);
CREATE INDEX _incidents_by_id ON _incidents (id);

CREATE TABLE _evidence (
	argument INTEGER NOT NULL, -- or -ordinal of the failure whose symptom it is
	ordinal  INTEGER NOT NULL, -- 1 is the symptom, an argument goes on from 2
	role     TEXT    NOT NULL,
	kind     TEXT    NOT NULL,
	source   INTEGER NOT NULL,
	offset   INTEGER NOT NULL,
	length   INTEGER NOT NULL,
	line     INTEGER NOT NULL,
	time     INTEGER NOT NULL,
	joined   TEXT    NOT NULL,
	says     TEXT    NOT NULL,
	weight   INTEGER NOT NULL,
	PRIMARY KEY (argument, ordinal)
) WITHOUT ROWID;

-- The text of the lines that verdicts cite: logs go away.
CREATE TABLE _lines (
	source INTEGER NOT NULL,
	offset INTEGER NOT NULL,
	length INTEGER NOT NULL,
	text   TEXT    NOT NULL,
	PRIMARY KEY (source, offset, length)
) WITHOUT ROWID;

-- The shift that a clock adds to a raw stamp, as gatepost.Clock does: that of the last step
-- which is not later. A stamp's text has always the same width, so that it sorts by time.
CREATE VIEW sources AS
SELECT id, path AS file, host, strand, format, dialect, bytes, lines, requests, events, unparsed,
	strftime('%Y-%m-%dT%H:%M:%fZ', (nullif(first, -9223372036854775808) + coalesce((
		SELECT value ->> 1 FROM json_each(steps) WHERE value ->> 0 <= first ORDER BY key DESC LIMIT 1), shift)) / 1000000 / 1000.0, 'unixepoch') AS first,
	strftime('%Y-%m-%dT%H:%M:%fZ', (nullif(last, -9223372036854775808) + coalesce((
		SELECT value ->> 1 FROM json_each(steps) WHERE value ->> 0 <= last ORDER BY key DESC LIMIT 1), shift)) / 1000000 / 1000.0, 'unixepoch') AS last,
	shift / 1e9 AS shift, zone, how, votes, sigma / 1e9 AS sigma, position, problem
FROM _sources;

CREATE VIEW events AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (nullif(e.time, -9223372036854775808) + coalesce((
		SELECT value ->> 1 FROM json_each(s.steps) WHERE value ->> 0 <= e.time ORDER BY key DESC LIMIT 1), s.shift)) / 1000000 / 1000.0, 'unixepoch') AS time,
	e.kind, e.pid, e.by, e.status,
	nullif(e.duration, -1) / 1e9 AS duration, nullif(e.sql, -1) / 1e9 AS sql, e.queries, e.number,
	e.method, e.path, e.client, e.upstream, e.db, e.key, e.phase, e.name, e.text, e.attempts, e.pids,
	e.source, s.path AS file, e.line, e.offset, e.length
FROM _events e JOIN _sources s ON s.id = e.source;

CREATE VIEW seconds AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', n.second + coalesce((
		SELECT value ->> 1 FROM json_each(s.steps) WHERE value ->> 0 <= n.second * 1000000000 ORDER BY key DESC LIMIT 1), s.shift) / 1000000 / 1000.0, 'unixepoch') AS time,
	n.requests, n.s499, n.s500, n.s502, n.s503, n.s504, n.bytes, n.duration / 1e9 AS duration,
	n.source, s.path AS file
FROM _seconds n JOIN _sources s ON s.id = n.source;

CREATE VIEW routes AS
SELECT id, name FROM _routes;

CREATE VIEW unparsed AS
SELECT u.source, s.path AS file, u.line, u.offset, u.length
FROM _unparsed u JOIN _sources s ON s.id = u.source;

CREATE VIEW settings AS
SELECT program, name, value, scope, file, line FROM _settings;

CREATE VIEW failures AS
SELECT f.id, f.at AS time,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(f.start, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS start,
	f.status, f.method, f.path, f.client, f.upstream, f.phase, nullif(f.duration, -1) / 1e9 AS duration,
	a.cause, a.instance, a.via, a.confidence, a.state, f.incident, a.rivals, a.missing,
	f.source, s.path AS file, f.line, f.offset, f.length
FROM _failures f JOIN _arguments a ON a.argument = f.argument LEFT JOIN _sources s ON s.id = f.source
WHERE (SELECT complete FROM _judgement);

CREATE VIEW incidents AS
SELECT id, outage,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(began, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS began,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(ended, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS ended,
	cause, instance, title, confidence, state, failures, clients, statuses, chain, rivals, missing, fix
FROM _incidents
WHERE (SELECT complete FROM _judgement);

CREATE VIEW evidence AS
SELECT o.failure, o.incident, e.ordinal, e.role, e.kind,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(e.time, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS time,
	e.joined, e.says, coalesce(l.text, '') AS text, e.weight,
	nullif(e.source, 0) AS source, s.path AS file, nullif(e.line, 0) AS line,
	CASE WHEN e.source <> 0 THEN e.offset END AS offset, CASE WHEN e.source <> 0 THEN e.length END AS length
FROM (
	SELECT id AS failure, NULL AS incident, argument, -ordinal AS symptom FROM _failures
	UNION ALL
	SELECT NULL, id, argument, 0 FROM _incidents
) o
JOIN _evidence e ON e.argument IN (o.argument, o.symptom)
LEFT JOIN _lines l ON l.source = e.source AND l.offset = e.offset AND l.length = e.length
LEFT JOIN _sources s ON s.id = e.source
WHERE (SELECT complete FROM _judgement);
