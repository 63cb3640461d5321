-- What a job starts from (start_job_id 0: the member's own upload), which press it came from, and
-- who took its pictures away (deleted_by 0: their time was over).
ALTER TABLE job ADD COLUMN start_job_id INTEGER;
ALTER TABLE job ADD COLUMN start_panel INTEGER;
ALTER TABLE job ADD COLUMN strength REAL;
ALTER TABLE job ADD COLUMN start_enlarged INTEGER NOT NULL DEFAULT 0
    CHECK (start_enlarged IN (0, 1));
ALTER TABLE job ADD COLUMN press TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN deleted_at REAL;
ALTER TABLE job ADD COLUMN deleted_by INTEGER;
ALTER TABLE picture ADD COLUMN num_bytes INTEGER NOT NULL DEFAULT 0;

-- Two presses of one button at once are one job.
CREATE UNIQUE INDEX job_by_press ON job (user_id, press)
    WHERE press <> '' AND status IN ('accepted', 'held', 'queued', 'running', 'rendered');
CREATE INDEX job_by_message ON job (message_id) WHERE message_id IS NOT NULL;

-- A server's own styles; one that is_removed takes a style that comes with Triptych away.
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
