-- The preset a member chose, and the share of the steps that it guides.
ALTER TABLE job ADD COLUMN preset TEXT NOT NULL DEFAULT 'quality';
ALTER TABLE job ADD COLUMN guidance_until REAL NOT NULL DEFAULT 1.0;
