-- What the last analysis was asked for, so that a report of the store alone is about the same.
ALTER TABLE _judgement ADD COLUMN since INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE _judgement ADD COLUMN until INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE _judgement ADD COLUMN watched TEXT NOT NULL DEFAULT ''; -- JSON: the statuses that count as failures, '' when not known
