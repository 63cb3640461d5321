-- The words of a report are a member's own: they may be blanked as a prompt may, and nothing else.
DROP TRIGGER audit_is_not_changed;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.prompt NOT IN ('', OLD.prompt)
    OR NEW.reason <> OLD.reason AND NOT (NEW.reason = '' AND OLD.action = 'reported')
    OR (NEW.entry_id, NEW.at, NEW.action, NEW.actor_id, NEW.rule,
        NEW.rules_version, NEW.prompt_hash, NEW.old_value, NEW.new_value)
    <> (OLD.entry_id, OLD.at, OLD.action, OLD.actor_id, OLD.rule,
        OLD.rules_version, OLD.prompt_hash, OLD.old_value, OLD.new_value)
    OR NEW.guild_id IS NOT OLD.guild_id OR NEW.member_id IS NOT OLD.member_id
    OR NEW.job_id IS NOT OLD.job_id
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
