-- The version of a server's rules is looked up for every prompt.
CREATE INDEX rule_added ON rule (guild_id, added_in);
CREATE INDEX rule_removed ON rule (guild_id, removed_in) WHERE removed_in IS NOT NULL;

-- When a member deleted their data: from this moment on the row forgets whose it was.
ALTER TABLE job ADD COLUMN forget_after REAL;
CREATE INDEX job_to_forget ON job (forget_after) WHERE forget_after IS NOT NULL;
