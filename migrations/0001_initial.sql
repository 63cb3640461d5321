-- Times are Unix seconds in UTC. The unit of cost is one default request of the default model.
-- reason_code is a code from texts/codes.py ('' for no reason), and reason_params has the values
-- that its sentence needs.
PRAGMA application_id = 0x54525035;  -- "TRP5"; store/files.py has the same number and checks it

-- token: erased after it has expired.
-- spoiler: its pictures are covered because of a rule.
-- rule: the rule that decided. rules_version: the version of the server's rules at that moment.
-- is_held: a moderator has to look at it first. held_code, held_params: the reason for that.
-- approved_by: the moderator who approved it.
-- weight: its member's share of the queue.
-- hidden: nobody may see its pictures, for good or until a moderator has looked at the reports.
-- recipe: domain/recipes.Recipe as JSON. Searches in it use indexes on expressions, not generated
--   columns: SQLite 3.40 cannot copy a table that has one with VACUUM INTO on a read-only connection.
-- press: the button that it came from.
-- deleted_by: who deleted its pictures; 0 if they were deleted because their time was over.
-- forget_after: its member deleted their data, so it must forget its member at this time.
-- end_notified: 0 if it ended without pictures and its message may not show that yet.
-- engine: the id of the engine that drew it.
-- locale, guild_locale: the languages of its member and of its server.
CREATE TABLE job (
    job_id              INTEGER PRIMARY KEY,
    source              TEXT NOT NULL CHECK (source IN ('interaction', 'terminal', 'round')),
    interaction_id      INTEGER UNIQUE,
    token               TEXT,
    guild_id            INTEGER,
    channel_id          INTEGER,
    parent_channel_id   INTEGER,
    message_id          INTEGER,
    user_id             INTEGER NOT NULL,
    bot_in_channel      INTEGER NOT NULL CHECK (bot_in_channel IN (0, 1)),
    age_restricted      INTEGER NOT NULL DEFAULT 0 CHECK (age_restricted IN (0, 1)),
    locale              TEXT NOT NULL DEFAULT 'en-US',
    guild_locale        TEXT,
    status              TEXT NOT NULL CHECK (status IN (
                            'accepted', 'held', 'queued', 'running', 'rendered', 'delivered',
                            'refused', 'failed', 'cancelled', 'expired', 'undeliverable')),
    reason_code         TEXT NOT NULL DEFAULT '',
    reason_params       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(reason_params)),
    recipe              TEXT NOT NULL CHECK (json_valid(recipe)),
    press               TEXT NOT NULL DEFAULT '',
    cost_estimate       REAL NOT NULL CHECK (cost_estimate >= 0),
    cost                REAL NOT NULL CHECK (cost >= 0),
    weight              REAL NOT NULL DEFAULT 1.0 CHECK (weight > 0),
    attempt             INTEGER NOT NULL DEFAULT 0,
    engines_lost        INTEGER NOT NULL DEFAULT 0,
    gpu_seconds         REAL,
    engine              TEXT NOT NULL DEFAULT '',
    cut_words           TEXT NOT NULL DEFAULT '',
    cut_negative_words  TEXT NOT NULL DEFAULT '',
    rule                TEXT NOT NULL DEFAULT '',
    rules_version       INTEGER NOT NULL DEFAULT 0,
    is_held             INTEGER NOT NULL DEFAULT 0 CHECK (is_held IN (0, 1)),
    held_code           TEXT NOT NULL DEFAULT '',
    held_params         TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(held_params)),
    approved_by         INTEGER,
    spoiler             INTEGER NOT NULL DEFAULT 0 CHECK (spoiler IN (0, 1)),
    hidden              INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1)),
    end_notified        INTEGER NOT NULL DEFAULT 1 CHECK (end_notified IN (0, 1)),
    accepted_at         REAL NOT NULL,
    queued_at           REAL,
    started_at          REAL,
    rendered_at         REAL,
    ended_at            REAL,
    deleted_at          REAL,
    deleted_by          INTEGER,
    forget_after        REAL
) STRICT;

CREATE INDEX job_by_status ON job (status, job_id);
CREATE INDEX job_by_member ON job (user_id, accepted_at);
CREATE INDEX job_by_guild ON job (guild_id, job_id);
CREATE INDEX job_by_message ON job (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX job_with_token ON job (accepted_at) WHERE token IS NOT NULL;
CREATE INDEX job_by_end_of_drawing ON job (json_extract(recipe, '$.model'), rendered_at)
    WHERE rendered_at IS NOT NULL;
CREATE INDEX job_by_start ON job (started_at) WHERE started_at IS NOT NULL;
CREATE INDEX job_to_forget ON job (forget_after) WHERE forget_after IS NOT NULL;
CREATE INDEX job_not_notified ON job (job_id) WHERE end_notified = 0;

-- Who pays for the job of a group round, whose user_id is 0: each row pays "share" of its cost. All
-- shares of a job add up to 1. weight: the member's share of the queue. user_id 0: forgotten.
-- forget_after: the member deleted their data, so at this time, user_id becomes 0.
CREATE TABLE job_share (
    share_id     INTEGER PRIMARY KEY,
    job_id       INTEGER NOT NULL REFERENCES job (job_id),
    user_id      INTEGER NOT NULL,
    share        REAL NOT NULL CHECK (share > 0 AND share <= 1),
    weight       REAL NOT NULL DEFAULT 1.0 CHECK (weight > 0),
    forget_after REAL
) STRICT;
CREATE INDEX job_share_by_job ON job_share (job_id);
CREATE INDEX job_share_by_member ON job_share (user_id, job_id);
CREATE UNIQUE INDEX job_share_once ON job_share (job_id, user_id) WHERE user_id <> 0;

-- What each member pays for: their own jobs, and their shares of the jobs of rounds.
CREATE VIEW job_use AS
    SELECT job_id, user_id, guild_id, status, accepted_at, cost FROM job WHERE source <> 'round'
    UNION ALL
    SELECT job.job_id, job_share.user_id, guild_id, status, accepted_at, cost * share
    FROM job_share JOIN job USING (job_id);

-- If a member presses a button twice at once, that makes one job.
CREATE UNIQUE INDEX job_by_press ON job (user_id, press)
    WHERE press <> '' AND status IN ('accepted', 'held', 'queued', 'running', 'rendered');

-- panel: 0 for the grid, 1 to 3 for the pictures, 4 to 6 for these as they are shown enlarged.
-- nsfw_score: the score from the built-in picture classifier.
CREATE TABLE picture (
    job_id                INTEGER NOT NULL REFERENCES job (job_id),
    panel                 INTEGER NOT NULL CHECK (panel BETWEEN 0 AND 6),
    path                  TEXT NOT NULL,
    sha256                TEXT NOT NULL,
    nsfw_content_detected INTEGER CHECK (nsfw_content_detected IN (0, 1)),
    shown                 INTEGER NOT NULL CHECK (shown IN (0, 1)),
    nsfw_score            REAL CHECK (nsfw_score BETWEEN 0 AND 1),
    num_bytes             INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, panel)
) STRICT, WITHOUT ROWID;

-- Pictures that wait for a moderator. Their files are in a folder of their own until then.
CREATE TABLE held_picture (
    job_id INTEGER NOT NULL REFERENCES job (job_id),
    panel  INTEGER NOT NULL CHECK (panel BETWEEN 0 AND 6),
    sha256 TEXT NOT NULL,
    PRIMARY KEY (job_id, panel)
) STRICT, WITHOUT ROWID;

-- Messages that we still have to delete, because a member deleted their data. A row is removed
-- once its message is deleted or can no longer be reached.
CREATE TABLE message_to_delete (
    message_id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Settings that differ from the defaults. channel_id 0 stands for the whole server.
CREATE TABLE setting (
    guild_id   INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (guild_id, channel_id, name)
) STRICT, WITHOUT ROWID;

-- A server's own rules. Only removed_in ever changes. To change a rule, it is removed and added
-- again under a new rule_id, so the rule behind an old decision can always be found.
-- added_in, removed_in: versions of the server's rules.
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
-- The version of a server's rules is looked up for every prompt.
CREATE INDEX rule_added ON rule (guild_id, added_in);
CREATE INDEX rule_removed ON rule (guild_id, removed_in) WHERE removed_in IS NOT NULL;

-- The audit log: who decided what. actor_id 0 is Triptych; guild_id NULL means direct messages.
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
    reason_code   TEXT NOT NULL DEFAULT '',
    reason_params TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(reason_params)),
    old_value     TEXT NOT NULL DEFAULT '',
    new_value     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_by_guild ON audit (guild_id, entry_id);
CREATE INDEX audit_by_member ON audit (member_id, entry_id);

-- The audit log is append-only. The only changes allowed are to erase a prompt or the words of a
-- report. A row may be deleted only if it is older than kept_since, which retention sets before it
-- deletes. guild_id 0 stands for direct messages.
CREATE TABLE audit_retention (
    guild_id   INTEGER PRIMARY KEY,
    kept_since REAL NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.prompt NOT IN ('', OLD.prompt)
    OR NEW.reason_code <> OLD.reason_code
        AND NOT (NEW.reason_code = '' AND OLD.action = 'reported')
    OR NEW.reason_params <> OLD.reason_params
        AND NOT (NEW.reason_params = '{}' AND OLD.action = 'reported')
    OR (NEW.entry_id, NEW.at, NEW.action, NEW.actor_id, NEW.rule,
        NEW.rules_version, NEW.prompt_hash, NEW.old_value, NEW.new_value)
    <> (OLD.entry_id, OLD.at, OLD.action, OLD.actor_id, OLD.rule,
        OLD.rules_version, OLD.prompt_hash, OLD.old_value, OLD.new_value)
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

CREATE TABLE strike (
    strike_id     INTEGER PRIMARY KEY,
    guild_id      INTEGER NOT NULL,
    member_id     INTEGER NOT NULL,
    job_id        INTEGER REFERENCES job (job_id),
    reason_code   TEXT NOT NULL,
    reason_params TEXT NOT NULL CHECK (json_valid(reason_params)),
    given_by      INTEGER NOT NULL,
    given_at      REAL NOT NULL,
    lapses_at     REAL NOT NULL,
    removed_at    REAL
) STRICT;
CREATE INDEX strike_by_member ON strike (guild_id, member_id);

-- appeal: what the member wrote in their only appeal. lifted_at: when it was ended early.
CREATE TABLE suspension (
    suspension_id INTEGER PRIMARY KEY,
    guild_id      INTEGER NOT NULL,
    member_id     INTEGER NOT NULL,
    reason_code   TEXT NOT NULL,
    reason_params TEXT NOT NULL CHECK (json_valid(reason_params)),
    given_by      INTEGER NOT NULL,
    given_at      REAL NOT NULL,
    ends_at       REAL NOT NULL,
    appeal        TEXT NOT NULL DEFAULT '',
    appealed_at   REAL,
    lifted_at     REAL
) STRICT;
CREATE INDEX suspension_by_member ON suspension (guild_id, member_id);

-- A group round. See domain/rounds.Round for the columns that are not explained here.
-- interaction_id: makes sure that an interaction starts at most one round.
-- asked_at: when the starter was asked whether to draw. is_confirmed: they said yes.
-- winner_message_id, showcase_message_id: NULL until posted; 0 if there is no such message.
-- end_shown: 0 if it is over and its message may not show that yet.
CREATE TABLE round (
    round_id            INTEGER PRIMARY KEY,
    interaction_id      INTEGER UNIQUE,
    guild_id            INTEGER NOT NULL,
    channel_id          INTEGER NOT NULL,
    parent_channel_id   INTEGER,
    age_restricted      INTEGER NOT NULL CHECK (age_restricted IN (0, 1)),
    guild_locale        TEXT,
    message_id          INTEGER,
    starter_id          INTEGER NOT NULL,
    theme               TEXT NOT NULL,
    style               TEXT NOT NULL DEFAULT '',
    model               TEXT,
    width               INTEGER,
    height              INTEGER,
    phrases_each        INTEGER NOT NULL,
    choosing            TEXT NOT NULL CHECK (choosing IN ('votes', 'all')),
    is_anonymous        INTEGER NOT NULL CHECK (is_anonymous IN (0, 1)),
    previous_id         INTEGER REFERENCES round (round_id) ON DELETE SET NULL,
    start               TEXT CHECK (start IS NULL OR json_valid(start)),
    status              TEXT NOT NULL DEFAULT 'open' CHECK (status IN (
                            'open', 'asking', 'drawing', 'voting', 'ended', 'failed',
                            'cancelled')),
    opened_at           REAL NOT NULL,
    closes_at           REAL NOT NULL,
    asks_until          REAL,
    asked_at            REAL,
    is_confirmed        INTEGER NOT NULL DEFAULT 0 CHECK (is_confirmed IN (0, 1)),
    job_id              INTEGER UNIQUE REFERENCES job (job_id),
    votes_until         REAL,
    winner              INTEGER CHECK (winner BETWEEN 1 AND 3),
    tally               TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tally)),
    lot_seed            INTEGER,
    winner_message_id   INTEGER,
    showcase_channel_id INTEGER,
    showcase_message_id INTEGER,
    end_shown           INTEGER NOT NULL DEFAULT 1 CHECK (end_shown IN (0, 1)),
    reason_code         TEXT NOT NULL DEFAULT '',
    reason_params       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(reason_params)),
    ended_at            REAL,
    CHECK ((status IN ('drawing', 'voting')) <= (job_id IS NOT NULL)),
    CHECK ((status = 'voting') <= (votes_until IS NOT NULL)),
    CHECK ((winner IS NOT NULL) <= (status = 'ended'))
) STRICT;
CREATE INDEX round_by_guild ON round (guild_id, round_id);
CREATE INDEX round_not_shown ON round (round_id) WHERE end_shown = 0;
CREATE INDEX round_by_winner_message ON round (winner_message_id) WHERE winner_message_id > 0;
CREATE INDEX round_by_showcase ON round (showcase_message_id) WHERE showcase_message_id > 0;
CREATE INDEX round_to_post ON round (round_id)
    WHERE winner IS NOT NULL AND (winner_message_id IS NULL OR showcase_message_id IS NULL);
-- One round at a time in a channel.
CREATE UNIQUE INDEX round_in_channel ON round (channel_id)
    WHERE status IN ('open', 'asking', 'drawing', 'voting');

-- key: the phrase as the rules read it, so that nobody adds it twice; NULL after its deletion.
-- place: its place in the prompt that is drawn, from 1; NULL if it is not part of it.
-- weight, max_cost_per_day: from the roles that its author had.
CREATE TABLE phrase (
    phrase_id        INTEGER PRIMARY KEY,
    round_id         INTEGER NOT NULL REFERENCES round (round_id),
    guild_id         INTEGER NOT NULL,
    user_id          INTEGER NOT NULL,
    text             TEXT NOT NULL,
    key              TEXT,
    status           TEXT NOT NULL CHECK (status IN (
                         'held', 'joined', 'struck', 'refused', 'withdrawn')),
    at               REAL NOT NULL,
    place            INTEGER,
    weight           REAL NOT NULL DEFAULT 1.0 CHECK (weight > 0),
    max_cost_per_day REAL,
    rule             TEXT NOT NULL DEFAULT '',
    rules_version    INTEGER NOT NULL DEFAULT 0,
    held_code        TEXT NOT NULL DEFAULT '',
    held_params      TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(held_params))
) STRICT;
CREATE INDEX phrase_by_round ON phrase (round_id, phrase_id);
CREATE INDEX phrase_by_member ON phrase (user_id, round_id);
CREATE INDEX phrase_held ON phrase (phrase_id) WHERE status = 'held';
CREATE UNIQUE INDEX phrase_once ON phrase (round_id, key)
    WHERE key IS NOT NULL AND status IN ('held', 'joined');

-- Which member votes for which phrase.
CREATE TABLE phrase_vote (
    phrase_id INTEGER NOT NULL REFERENCES phrase (phrase_id) ON DELETE CASCADE,
    user_id   INTEGER NOT NULL,
    PRIMARY KEY (phrase_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX phrase_vote_by_member ON phrase_vote (user_id);

-- Which member votes for which picture. Each member has one vote, and can change it.
CREATE TABLE picture_vote (
    round_id INTEGER NOT NULL REFERENCES round (round_id) ON DELETE CASCADE,
    user_id  INTEGER NOT NULL,
    panel    INTEGER NOT NULL CHECK (panel BETWEEN 1 AND 3),
    PRIMARY KEY (round_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX picture_vote_by_member ON picture_vote (user_id);

-- The cards that moderators decide on.
-- decision: '' while the card is open. decided_by: 0 is Triptych itself.
-- reason: the moderator's words to the member.
-- settled_at: when everybody who is affected had been told.
-- A card of kind 'rules' names the rules of a server that are over its budget and do not apply. It
-- has no job and no suspension, and its member_id is 0.
CREATE TABLE card (
    card_id       INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('held', 'report', 'appeal', 'rules', 'phrase')),
    guild_id      INTEGER NOT NULL,
    member_id     INTEGER NOT NULL,
    job_id        INTEGER REFERENCES job (job_id),
    suspension_id INTEGER REFERENCES suspension (suspension_id),
    phrase_id     INTEGER REFERENCES phrase (phrase_id),
    opened_at     REAL NOT NULL,
    expires_at    REAL,
    channel_id    INTEGER,
    message_id    INTEGER,
    decision      TEXT NOT NULL DEFAULT '',
    decided_by    INTEGER NOT NULL DEFAULT 0,
    decided_at    REAL,
    reason        TEXT NOT NULL DEFAULT '',
    settled_at    REAL,
    CHECK ((kind IN ('appeal', 'rules', 'phrase')) = (job_id IS NULL)
        AND (kind = 'appeal') = (suspension_id IS NOT NULL)
        AND (kind = 'phrase') = (phrase_id IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX card_open_for_job ON card (job_id) WHERE decision = '';
CREATE UNIQUE INDEX card_of_suspension ON card (suspension_id);
CREATE UNIQUE INDEX card_of_phrase ON card (phrase_id);
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

-- A server's own styles. With is_removed, the server does not offer the style of this name that
-- comes with Triptych.
CREATE TABLE style (
    guild_id            INTEGER NOT NULL,
    name                TEXT NOT NULL,
    before              TEXT NOT NULL DEFAULT '',
    after               TEXT NOT NULL DEFAULT '',
    negative_prompt     TEXT NOT NULL DEFAULT '',
    sampler             TEXT,
    num_inference_steps INTEGER,
    is_removed          INTEGER NOT NULL DEFAULT 0 CHECK (is_removed IN (0, 1)),
    changed_by          INTEGER NOT NULL,
    changed_at          REAL NOT NULL,
    PRIMARY KEY (guild_id, name)
) STRICT, WITHOUT ROWID;
