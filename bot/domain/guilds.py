"""The settings of a server."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.rules import Outcome


@dataclass(frozen=True, slots=True)
class RoleQuota:
    """The quotas of a role's members; None means the same as for everybody.

    weight: these members' share of the queue. A member with several roles gets the best value of
    each field.
    """

    role_id: int
    max_cost_per_day: float | None = None
    max_waiting: int | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """The settings of a server. The defaults are safe for a server that never changes them.

    moderator_role_ids: roles that may decide, besides people with Manage Messages.
    allowed_*: who may prompt, and where; empty means everybody, everywhere.
    picture_action: what happens to flagged pictures.
    nsfw_threshold: None means the bot owner's threshold.
    default_model: the id of the model that draws if a member chooses none; None means the bot's.
    reviewed_models: ids of models whose pictures are all held for a moderator.
    review_newcomer_days: prompts of members who joined fewer days ago than this are held.
    appeal_line, appeal_channel_id: a text and a channel, from which members learn how to appeal.
    min_member_days: members who joined fewer days ago than this may not prompt.
    round_channel_ids, round_role_ids: where and by whom rounds may be started; empty means
    everywhere, everybody. max_rounds: how many rounds the server may have at a time. review_rounds:
    a moderator must approve the prompt of each round. rounds_anonymous: authors are hidden until
    the end, unless the person who starts the round decides otherwise. round_own_votes: members may
    vote for their own phrases. round_live_counts: the votes for the pictures are shown before the
    end. showcase_channel_id: a channel in which the winners are posted again.
    """

    review_channel_id: int | None = None
    mod_log_channel_id: int | None = None
    moderator_role_ids: tuple[int, ...] = ()
    allowed_role_ids: tuple[int, ...] = ()
    allowed_channel_ids: tuple[int, ...] = ()
    min_member_days: int = 0
    review_everything: bool = False
    review_newcomer_days: int = 0
    review_hours: int = 24
    picture_action: Outcome = Outcome.REFUSE
    nsfw_threshold: float | None = None
    default_model: str | None = None
    reviewed_models: tuple[str, ...] = ()
    reports_to_hide: int = 3
    strikes_to_suspend: int = 3
    strike_days: int = 30
    suspension_days: int = 7
    retention_days: int = 90
    is_paused: bool = False
    role_quotas: tuple[RoleQuota, ...] = ()
    appeal_line: str = ""
    appeal_channel_id: int | None = None
    rounds_on: bool = True
    round_channel_ids: tuple[int, ...] = ()
    round_role_ids: tuple[int, ...] = ()
    max_rounds: int = 3
    review_rounds: bool = False
    rounds_anonymous: bool = False
    round_own_votes: bool = False
    round_live_counts: bool = False
    round_vote_minutes: int = 5
    showcase_channel_id: int | None = None
