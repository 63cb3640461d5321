"""Decides who may prompt in a server, and with which quotas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.jobs import Origin
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

DAY_SECONDS = 24 * 3600.0
_SHOWN = 5  # the most channels or roles that a sentence names


def find_admission_refusal(origin: Origin, settings: GuildSettings, now: float) -> Reason | None:
    """Return why this member may not prompt here now, or None if they may.

    It looks at pauses, at the lists of allowed channels and roles, and at the days of membership.
    """
    if origin.guild_id is None:
        return None
    if settings.is_paused:
        return because(Code.SERVER_PAUSED)
    channels = {origin.channel_id, origin.parent_channel_id}
    if settings.allowed_channel_ids and channels.isdisjoint(settings.allowed_channel_ids):
        shown = _list_some("<#{}>", settings.allowed_channel_ids)
        return because(Code.OTHER_CHANNELS, channels=shown)
    roles = settings.allowed_role_ids
    if roles and set(roles).isdisjoint(origin.role_ids):
        return because(Code.OTHER_ROLES, roles=_list_some("<@&{}>", roles))
    return _find_age_refusal(origin, settings.min_member_days, now)


def _find_age_refusal(origin: Origin, min_member_days: int, now: float) -> Reason | None:
    if not min_member_days:
        return None
    if origin.joined_at is None:
        return because(Code.MEMBER_OF_UNKNOWN_AGE, count=min_member_days)
    opens = origin.joined_at + min_member_days * DAY_SECONDS
    if now >= opens:
        return None
    return because(Code.MEMBER_TOO_NEW, count=min_member_days, opens=opens)


def _list_some(mention: str, ids: Sequence[int]) -> list[str]:
    """Format the first few ids as mentions, and add "…" if there are more."""
    more = ["…"] if len(ids) > _SHOWN else []
    return [mention.format(each) for each in ids[:_SHOWN]] + more


def compose_quota(settings: GuildSettings, role_ids: Iterable[int]) -> RoleQuota:
    """Return the best quotas of a member's roles, with role_id 0. None: the same as everybody's."""
    held = set(role_ids)
    quotas = [quota for quota in settings.role_quotas if quota.role_id in held]
    return RoleQuota(
        0,
        max((each.max_cost_per_day for each in quotas if each.max_cost_per_day is not None),
            default=None),
        max((each.max_waiting for each in quotas if each.max_waiting is not None), default=None),
        max((each.weight for each in quotas if each.weight is not None), default=None),
    )  # fmt: skip
