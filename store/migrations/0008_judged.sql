-- The times that there are verdicts of, both ends included, on the common clock, and the statuses that counted as failures. What an analysis
-- judges it judges anew; the verdicts of other times stay.
CREATE TABLE _judged (
	began   INTEGER PRIMARY KEY,
	ended   INTEGER NOT NULL,
	watched TEXT    NOT NULL -- JSON, '' when not known
);
INSERT INTO _judged
SELECT since, coalesce(nullif(until, -9223372036854775808), (SELECT max(last + shift) FROM _sources WHERE last <> -9223372036854775808), 9223372036854775807), watched
FROM _judgement WHERE complete;
