-- What moderators are asked to decide, and what follows from it.

-- approved_by: the moderator who let a held job pass. hidden: nobody may see its pictures any more,
-- or until a moderator has looked at the reports.
ALTER TABLE job ADD COLUMN approved_by INTEGER;
ALTER TABLE job ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1));

-- The files of a job as they were drawn, kept apart until a moderator has decided.
CREATE TABLE held_picture (
    job_id INTEGER NOT NULL REFERENCES job (job_id),
    panel  INTEGER NOT NULL CHECK (panel BETWEEN 0 AND 3),
    sha256 TEXT NOT NULL,
    PRIMARY KEY (job_id, panel)
) STRICT, WITHOUT ROWID;

CREATE TABLE strike (
    strike_id  INTEGER PRIMARY KEY,
    guild_id   INTEGER NOT NULL,
    member_id  INTEGER NOT NULL,
    job_id     INTEGER REFERENCES job (job_id),
    reason     TEXT NOT NULL,
    given_by   INTEGER NOT NULL,
    given_at   REAL NOT NULL,
    lapses_at  REAL NOT NULL,
    removed_at REAL
) STRICT;
CREATE INDEX strike_by_member ON strike (guild_id, member_id);

-- appeal: the one thing the member had to say to it. lifted_at: when it ended before its time.
CREATE TABLE suspension (
    suspension_id INTEGER PRIMARY KEY,
    guild_id      INTEGER NOT NULL,
    member_id     INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    given_by      INTEGER NOT NULL,
    given_at      REAL NOT NULL,
    ends_at       REAL NOT NULL,
    appeal        TEXT NOT NULL DEFAULT '',
    appealed_at   REAL,
    lifted_at     REAL
) STRICT;
CREATE INDEX suspension_by_member ON suspension (guild_id, member_id);

-- decision is '' while the card is open; decided_by 0 is Triptych itself. settled_at: when everybody
-- whom the decision concerns has been told.
CREATE TABLE card (
    card_id       INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('held', 'report', 'appeal')),
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
    CHECK ((kind = 'appeal') = (job_id IS NULL) AND (kind = 'appeal') = (suspension_id IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX card_open_for_job ON card (job_id) WHERE decision = '';
CREATE UNIQUE INDEX card_of_suspension ON card (suspension_id);
CREATE INDEX card_unsettled ON card (card_id) WHERE settled_at IS NULL;

CREATE TABLE report (
    report_id   INTEGER PRIMARY KEY,
    card_id     INTEGER NOT NULL REFERENCES card (card_id),
    job_id      INTEGER NOT NULL REFERENCES job (job_id),
    guild_id    INTEGER NOT NULL,
    reporter_id INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    at          REAL NOT NULL,
    UNIQUE (job_id, reporter_id)
) STRICT;
CREATE INDEX report_by_card ON report (card_id);
CREATE INDEX report_by_reporter ON report (guild_id, reporter_id, at);
