-- Where the journal of the machine goes on: no text of it stays, so that no offset would tell.
ALTER TABLE _sources ADD COLUMN cursor TEXT NOT NULL DEFAULT '';
