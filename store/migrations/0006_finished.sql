-- When Odoo finished a request well that had failed for the user already: what it made may be there twice.
ALTER TABLE _failures ADD COLUMN finished INTEGER NOT NULL DEFAULT -9223372036854775808;

DROP VIEW failures;
CREATE VIEW failures AS
SELECT f.id, f.at AS time,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(f.start, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS start,
	f.status, f.method, f.path, f.client, f.upstream, f.phase, nullif(f.duration, -1) / 1e9 AS duration,
	a.cause, a.instance, a.via, a.confidence, a.state, f.incident, a.rivals, a.missing,
	f.source, s.path AS file, f.line, f.offset, f.length,
	strftime('%Y-%m-%dT%H:%M:%fZ', nullif(f.finished, -9223372036854775808) / 1000000 / 1000.0, 'unixepoch') AS finished
FROM _failures f JOIN _arguments a ON a.argument = f.argument LEFT JOIN _sources s ON s.id = f.source
WHERE (SELECT complete FROM _judgement);
