-- A picture may be enlarged more than once, and its variations have the first size all the same.
ALTER TABLE job ADD COLUMN start_num_doublings INTEGER NOT NULL DEFAULT 0
    CHECK (start_num_doublings >= 0);
UPDATE job SET start_num_doublings = start_enlarged;
ALTER TABLE job DROP COLUMN start_enlarged;
