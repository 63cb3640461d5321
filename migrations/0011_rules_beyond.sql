-- A card that says which of a server's rules do not apply, since they are beyond its budget: of no
-- job, no suspension and no member (member_id 0). SQLite cannot change a CHECK, so the table is
-- made anew; what refers to its rows finds them again before the end of the transaction.
PRAGMA defer_foreign_keys = ON;
CREATE TEMP TABLE kept_card AS SELECT * FROM card;
DROP TABLE card;

CREATE TABLE card (
    card_id       INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('held', 'report', 'appeal', 'rules')),
    guild_id      INTEGER NOT NULL,
    member_id     INTEGER NOT NULL,
    job_id        INTEGER REFERENCES job (job_id),
    suspension_id INTEGER REFERENCES suspension (suspension_id),
    opened_at     REAL NOT NULL,
    expires_at    REAL,
    channel_id    INTEGER,
    message_id    INTEGER,
    decision      TEXT NOT NULL DEFAULT '',
    decided_by    INTEGER NOT NULL DEFAULT 0,
    decided_at    REAL,
    settled_at    REAL,
    CHECK ((kind IN ('appeal', 'rules')) = (job_id IS NULL)
        AND (kind = 'appeal') = (suspension_id IS NOT NULL))
) STRICT;
INSERT INTO card SELECT * FROM kept_card;
DROP TABLE kept_card;
CREATE UNIQUE INDEX card_open_for_job ON card (job_id) WHERE decision = '';
CREATE UNIQUE INDEX card_of_suspension ON card (suspension_id);
CREATE INDEX card_unsettled ON card (card_id) WHERE settled_at IS NULL;
