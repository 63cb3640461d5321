"""Lists what every table holds about people, and when that is deleted. Retention and a member's
deletion both read this list. A test fails if a table or a column is missing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bot.domain.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Words:
    """A column with words that a member wrote, or with a copy of them.

    by, at: the columns with the author and the time. only: the SQL condition for rows whose words a
    member wrote.
    """

    column: str
    by: str
    at: str
    only: str = "true"
    blank: str = "''"


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What one table holds about people.

    until: when its rows, or the parts about people, are deleted. people: columns that name a person
    or lead to one, and the value that replaces them. plain: columns of text that no member wrote,
    which are deleted with the row. over: the SQL condition for rows that retention deletes. In it,
    :guild_id is the rows' server, :moment is the time before which they were written, and :now is
    the present.
    """

    until: str
    words: tuple[Words, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    over: str = ""


ENDED = (
    "status IN ('delivered', 'refused', 'failed', 'cancelled', 'expired', 'undeliverable') "
    "AND source <> 'terminal'"  # pictures that the owner drew in the terminal are kept
)
_KNOWN = ", ".join(f"'{each.name}'" for each in fields(Recipe))
_WORDLESS = (  # a refused prompt may have a sampler that the member typed freely
    "json_set((SELECT json_group_object(key, CASE WHEN type IN ('object', 'array') "  # noqa: S608
    "THEN json(value) ELSE value END) FROM json_each(recipe) "
    f"WHERE key IN ({_KNOWN})),"  # fields that a newer version added may contain words
    " '$.prompt', '', '$.negative_prompt', '', '$.sampler', NULL, '$.own_words', NULL)"
)
_WITH_SERVER = "somebody changes or removes it; until then it names who changed it"
_WITH_JOB = "the words of its job are erased"
_OVER_SUSPENSION = "(lifted_at IS NOT NULL OR ends_at < :now)"
_OVER_CARD = (
    "guild_id = :guild_id AND opened_at < :moment AND (settled_at < :moment "  # noqa: S608
    "OR job_id IN (SELECT job_id FROM job WHERE user_id = 0 AND source <> 'round') "
    f"OR suspension_id IN (SELECT suspension_id FROM suspension WHERE {_OVER_SUSPENSION}))"
)


_OVER_ROUND = (
    "guild_id = :guild_id AND opened_at < :moment AND status IN ('ended', 'failed', 'cancelled')"
)


def _of_job(column: str, blank: str = "''") -> Words:
    return Words(column, by="user_id", at="accepted_at", only=ENDED, blank=blank)


_REPORT_IN_AUDIT = tuple(
    Words(column, by="actor_id", at="at", only="action = 'reported'", blank=blank)
    for column, blank in (("reason_code", "''"), ("reason_params", "'{}'"))
)

# The tables in the order of deletion: each comes before the tables that it refers to.
PERSONAL: dict[str, PersonalData] = {
    "report": PersonalData(
        "its card is deleted; its words are erased when the server's time is over",
        words=(Words("reason", by="reporter_id", at="at"),),
        people={"reporter_id": "0"},
        over=f"card_id IN (SELECT card_id FROM card WHERE {_OVER_CARD})",  # noqa: S608
    ),
    "card": PersonalData(
        "the server's time is over and nothing is left to decide",
        people={"member_id": "0", "decided_by": "0", "message_id": "NULL"},
        plain=("kind", "decision", "reason"),
        over=_OVER_CARD,
    ),
    "suspension": PersonalData(
        "the server's time is over and it has ended",
        words=(Words("appeal", by="member_id", at="appealed_at"),),
        people={"member_id": "0", "given_by": "0"},
        plain=("reason_code", "reason_params"),
        over=f"guild_id = :guild_id AND given_at < :moment AND {_OVER_SUSPENSION} "  # noqa: S608
        "AND suspension_id NOT IN (SELECT suspension_id FROM card WHERE kind = 'appeal')",
    ),
    "strike": PersonalData(
        "the server's time is over and it has expired or was removed",
        people={"member_id": "0", "given_by": "0"},
        plain=("reason_code", "reason_params"),
        over="guild_id = :guild_id AND given_at < :moment "
        "AND (removed_at IS NOT NULL OR lapses_at < :now)",
    ),
    "audit": PersonalData(
        "the server's time is over; a member can have their words erased earlier",
        words=(
            Words("prompt", by="member_id", at="at"),
            *_REPORT_IN_AUDIT,
        ),
        people={"member_id": "NULL", "actor_id": "0"},
        plain=("action", "rule", "prompt_hash", "old_value", "new_value"),
    ),
    "phrase_vote": PersonalData(
        "its phrase goes, or its member deletes their data", people={"user_id": "0"}
    ),
    "phrase": PersonalData(
        "the server's time is over and its round has ended; its words, when their author deletes "
        "them",
        words=(
            Words("text", by="user_id", at="at"),
            Words("key", by="user_id", at="at", blank="NULL"),
        ),
        people={"user_id": "0"},
        plain=("status", "rule", "held_code", "held_params"),
        over="guild_id = :guild_id "  # noqa: S608
        f"AND round_id IN (SELECT round_id FROM round WHERE {_OVER_ROUND}) "
        "AND phrase_id NOT IN (SELECT phrase_id FROM card WHERE phrase_id IS NOT NULL)",
    ),
    "picture_vote": PersonalData(
        "its round goes, or its member deletes their data", people={"user_id": "0"}
    ),
    "round": PersonalData(
        "the server's time is over and it has ended; its theme, when its starter deletes it",
        words=(Words("theme", by="starter_id", at="opened_at"),),
        people={
            "starter_id": "0",
            "interaction_id": "NULL",
            "channel_id": "0",
            "parent_channel_id": "NULL",
            "message_id": "NULL",
            "winner_message_id": "NULL",
            "showcase_channel_id": "NULL",
            "showcase_message_id": "NULL",
        },
        plain=(
            "guild_locale",
            "style",
            "model",
            "choosing",
            "start",
            "status",
            "tally",
            "reason_code",
            "reason_params",
        ),
        over=f"{_OVER_ROUND} AND round_id NOT IN (SELECT round_id FROM phrase)",  # noqa: S608
    ),
    "job_share": PersonalData(
        "as the member of a job: a day after they delete their data, or when the server's time is "
        "over",
        people={"user_id": "0"},
    ),
    "picture": PersonalData(_WITH_JOB, plain=("path", "sha256")),
    "held_picture": PersonalData(_WITH_JOB, plain=("sha256",)),
    "job": PersonalData(
        "the server's time is over, or its member deletes their data. Its cost stays and, for one "
        "day, also its member's id, so that quotas still work",
        words=(
            *map(_of_job, ("cut_words", "cut_negative_words", "reason_code", "held_code")),
            *(_of_job(column, "'{}'") for column in ("reason_params", "held_params")),
            _of_job("recipe", _WORDLESS),
            _of_job("token", "NULL"),
        ),
        people={
            "user_id": "0",
            "interaction_id": "NULL",
            "channel_id": "NULL",
            "parent_channel_id": "NULL",
            "message_id": "NULL",
            "approved_by": "NULL",
            "deleted_by": "NULL",
            "locale": "'en-US'",
        },
        plain=("source", "status", "engine", "rule", "press", "guild_locale"),
    ),
    "message_to_delete": PersonalData("its message is deleted or can no longer be reached"),
    "rule": PersonalData(
        _WITH_SERVER, people={"added_by": "0"}, plain=("kind", "text", "action", "exceptions")
    ),
    "style": PersonalData(
        _WITH_SERVER,
        people={"changed_by": "0"},
        plain=("name", "before", "after", "negative_prompt", "sampler"),
    ),
    "setting": PersonalData(_WITH_SERVER, plain=("name", "value")),
    "meta": PersonalData("it is overwritten; it has nothing about people", plain=("key", "value")),
    "audit_retention": PersonalData("it is overwritten; it has nothing about people"),
}
