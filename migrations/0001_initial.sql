-- Times are Unix seconds in UTC. Costs are in default requests of the model.
CREATE TABLE job (
    job_id              INTEGER PRIMARY KEY,
    interaction_id      INTEGER UNIQUE,
    token               TEXT,
    guild_id            INTEGER,
    channel_id          INTEGER,
    message_id          INTEGER,
    user_id             INTEGER NOT NULL,
    bot_in_channel      INTEGER NOT NULL CHECK (bot_in_channel IN (0, 1)),
    status              TEXT NOT NULL CHECK (status IN (
                            'accepted', 'held', 'queued', 'running', 'rendered', 'delivered',
                            'refused', 'failed', 'cancelled', 'expired', 'undeliverable')),
    reason              TEXT NOT NULL DEFAULT '',
    prompt              TEXT NOT NULL,
    negative_prompt     TEXT NOT NULL,
    seeds               TEXT NOT NULL,
    width               INTEGER,
    height              INTEGER,
    num_inference_steps INTEGER,
    guidance_scale      REAL,
    sampler             TEXT,
    model               TEXT,
    cost_estimate       REAL NOT NULL CHECK (cost_estimate >= 0),
    cost                REAL NOT NULL CHECK (cost >= 0),
    attempt             INTEGER NOT NULL DEFAULT 0,
    gpu_seconds         REAL,
    cut_words           TEXT NOT NULL DEFAULT '',
    accepted_at         REAL NOT NULL,
    queued_at           REAL,
    started_at          REAL,
    rendered_at         REAL,
    ended_at            REAL
) STRICT;

CREATE INDEX job_by_status ON job (status, job_id);
CREATE INDEX job_by_member ON job (user_id, accepted_at);
CREATE INDEX job_with_token ON job (accepted_at) WHERE token IS NOT NULL;
CREATE INDEX job_by_end_of_drawing ON job (model, rendered_at) WHERE rendered_at IS NOT NULL;
CREATE INDEX job_by_start ON job (started_at) WHERE started_at IS NOT NULL;

CREATE TABLE picture (
    job_id                INTEGER NOT NULL REFERENCES job (job_id),
    panel                 INTEGER NOT NULL CHECK (panel BETWEEN 0 AND 3),
    path                  TEXT NOT NULL,
    sha256                TEXT NOT NULL,
    nsfw_content_detected INTEGER CHECK (nsfw_content_detected IN (0, 1)),
    shown                 INTEGER NOT NULL CHECK (shown IN (0, 1)),
    PRIMARY KEY (job_id, panel)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
