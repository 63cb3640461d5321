-- 0: the job ended without pictures, and its message may not say so yet (the process was killed).
ALTER TABLE job ADD COLUMN told INTEGER NOT NULL DEFAULT 1 CHECK (told IN (0, 1));

CREATE INDEX job_untold ON job (job_id) WHERE told = 0;
