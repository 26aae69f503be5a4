-- Logs that were there before following began and are not read, by their heads: what is not among them came since.
CREATE TABLE _passed (
	head_size INTEGER NOT NULL,
	head      INTEGER NOT NULL,
	PRIMARY KEY (head_size, head)
) WITHOUT ROWID;
