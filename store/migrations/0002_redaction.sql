-- The key of stand-ins, so that all redacted outputs of a store have the same ones. Empty until the first.
CREATE TABLE _redaction (key BLOB NOT NULL);
