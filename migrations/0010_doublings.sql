-- A picture may be enlarged more than once, and its variations have the first size all the same.
ALTER TABLE job ADD COLUMN start_num_doublings INTEGER NOT NULL DEFAULT 0
    CHECK (start_num_doublings >= 0);
WITH RECURSIVE enlarged (job_id, num_doublings) AS (
    SELECT job_id, 1 FROM job WHERE start_enlarged AND start_job_id NOT IN (
        SELECT job_id FROM job WHERE start_enlarged
    )
    UNION ALL
    SELECT job.job_id, num_doublings + 1
    FROM job JOIN enlarged ON job.start_job_id = enlarged.job_id WHERE start_enlarged
)
UPDATE job SET start_num_doublings = coalesce(
    (SELECT num_doublings FROM enlarged WHERE enlarged.job_id = job.job_id), 1
) WHERE start_enlarged;
ALTER TABLE job DROP COLUMN start_enlarged;
