-- What a server's moderators decide, and the record of every decision.

-- How the job was judged: rule is what decided, rules_version the server's rules at that moment;
-- held_for is why a moderator has to look at it first. weight: of its member's share of the line.
ALTER TABLE job ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN rules_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN held_for TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN weight REAL NOT NULL DEFAULT 1.0 CHECK (weight > 0);
ALTER TABLE job ADD COLUMN parent_channel_id INTEGER;
ALTER TABLE job ADD COLUMN age_restricted INTEGER NOT NULL DEFAULT 0 CHECK (age_restricted IN (0, 1));
CREATE INDEX job_by_guild ON job (guild_id, job_id);

-- Only what differs from the defaults. channel_id 0 stands for the whole server; value is JSON.
CREATE TABLE setting (
    guild_id   INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (guild_id, channel_id, name)
) STRICT, WITHOUT ROWID;

-- A server's own rules. Nothing is changed but removed_in: a changed rule is a new one, so that
-- rule_id alone says what a decision rested on. added_in, removed_in: versions of the server's rules.
CREATE TABLE rule (
    rule_id    INTEGER PRIMARY KEY,
    guild_id   INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('word', 'phrase', 'pattern')),
    text       TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (action IN ('refuse', 'hold', 'spoiler')),
    exceptions TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(exceptions)),
    added_by   INTEGER NOT NULL,
    added_at   REAL NOT NULL,
    added_in   INTEGER NOT NULL,
    removed_in INTEGER
) STRICT;
CREATE INDEX rule_by_guild ON rule (guild_id, rule_id);

-- Who decided what. actor_id 0 is Triptych itself; guild_id NULL stands for direct messages.
CREATE TABLE audit (
    entry_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at            REAL NOT NULL,
    action        TEXT NOT NULL,
    guild_id      INTEGER,
    actor_id      INTEGER NOT NULL,
    member_id     INTEGER,
    job_id        INTEGER,
    rule          TEXT NOT NULL DEFAULT '',
    rules_version INTEGER NOT NULL DEFAULT 0,
    prompt        TEXT NOT NULL DEFAULT '',
    prompt_hash   TEXT NOT NULL DEFAULT '',
    reason        TEXT NOT NULL DEFAULT '',
    old_value     TEXT NOT NULL DEFAULT '',
    new_value     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_by_guild ON audit (guild_id, entry_id);
CREATE INDEX audit_by_member ON audit (member_id, entry_id);

-- Append-only: prompts may be blanked and nothing else; rows go only when their time is over, which
-- retention writes down first (kept_since; guild_id 0 stands for direct messages).
CREATE TABLE audit_retention (
    guild_id   INTEGER PRIMARY KEY,
    kept_since REAL NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.prompt <> '' OR (NEW.entry_id, NEW.at, NEW.action, NEW.actor_id, NEW.rule,
        NEW.rules_version, NEW.prompt_hash, NEW.reason, NEW.old_value, NEW.new_value)
    <> (OLD.entry_id, OLD.at, OLD.action, OLD.actor_id, OLD.rule,
        OLD.rules_version, OLD.prompt_hash, OLD.reason, OLD.old_value, OLD.new_value)
    OR NEW.guild_id IS NOT OLD.guild_id OR NEW.member_id IS NOT OLD.member_id
    OR NEW.job_id IS NOT OLD.job_id
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN NOT EXISTS (
    SELECT 1 FROM audit_retention AS retention
    WHERE retention.guild_id = coalesce(OLD.guild_id, 0) AND OLD.at < retention.kept_since
)
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
