-- When a source was silent although others were not. Made with the verdicts, on the common clock.
CREATE TABLE _gaps (
	source INTEGER NOT NULL REFERENCES _sources (id),
	began  INTEGER NOT NULL,
	ended  INTEGER NOT NULL,
	why    TEXT    NOT NULL,
	PRIMARY KEY (source, began)
) WITHOUT ROWID;

-- Logs that went away before they were read to their end, on the common clock. No later run could find that out again.
CREATE TABLE _lost (
	source INTEGER PRIMARY KEY REFERENCES _sources (id),
	began  INTEGER NOT NULL,
	ended  INTEGER NOT NULL,
	why    TEXT    NOT NULL
);

CREATE VIEW gaps AS
SELECT g.kind,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(g.began, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS began,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(g.ended, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS ended,
	g.why, g.source, s.path AS file
FROM (
	SELECT 'silent' AS kind, source, began, ended, why FROM _gaps WHERE (SELECT complete FROM _judgement)
	UNION ALL
	SELECT 'lost', source, began, ended, why FROM _lost
	UNION ALL
	SELECT 'unread', id, last + coalesce((
		SELECT value ->> 1 FROM json_each(steps) WHERE value ->> 0 <= last ORDER BY key DESC LIMIT 1), shift), -9223372036854775808, problem
	FROM _sources WHERE problem <> '' AND last <> -9223372036854775808
) g JOIN _sources s ON s.id = g.source;

-- Odoo's requests second by second, as _seconds has those of access logs: to see when a log is silent.
CREATE TABLE _beats (
	source   INTEGER NOT NULL REFERENCES _sources (id),
	second   INTEGER NOT NULL, -- raw, Unix
	requests INTEGER NOT NULL,
	PRIMARY KEY (source, second)
) WITHOUT ROWID;
