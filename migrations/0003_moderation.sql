-- The score of the embedded picture classifier, and whether the rules cover a job's pictures.
ALTER TABLE picture ADD COLUMN nsfw_score REAL CHECK (nsfw_score BETWEEN 0 AND 1);
ALTER TABLE job ADD COLUMN spoiler INTEGER NOT NULL DEFAULT 0 CHECK (spoiler IN (0, 1));
