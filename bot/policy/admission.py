"""What a server asks of its members before their prompts get into line."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.jobs import Origin

DAY_SECONDS = 24 * 3600.0
_UNCHARGED = "Nothing was drawn or charged."


def find_admission_refusal(origin: Origin, settings: GuildSettings, now: float) -> str | None:
    """Why this member may not prompt here at present, or None. Pauses, lists, member age."""
    if origin.guild_id is None:
        return None
    if settings.is_paused:
        return (
            "The moderators of this server have paused Triptych for now; what waits in line stays "
            f"there. {_UNCHARGED} Please try again later."
        )
    channels = {origin.channel_id, origin.parent_channel_id}
    if settings.allowed_channel_ids and channels.isdisjoint(settings.allowed_channel_ids):
        shown = " ".join(f"<#{channel_id}>" for channel_id in settings.allowed_channel_ids[:5])
        more = " and others" if len(settings.allowed_channel_ids) > 5 else ""
        return f"In this server Triptych draws only in {shown}{more}. {_UNCHARGED}"
    roles = settings.allowed_role_ids
    if roles and set(roles).isdisjoint(origin.role_ids):
        shown = " or ".join(f"<@&{role_id}>" for role_id in roles[:5])
        more = " or another of the roles chosen for it" if len(roles) > 5 else ""
        return f"In this server Triptych draws for members with {shown}{more}. {_UNCHARGED}"
    return _find_age_refusal(origin, settings.min_member_days, now)


def _find_age_refusal(origin: Origin, min_member_days: int, now: float) -> str | None:
    if not min_member_days:
        return None
    rule = f"In this server Triptych draws for members who joined at least {min_member_days} days"
    if origin.joined_at is None:
        return f"{rule} ago, and Discord did not say since when you are here. {_UNCHARGED}"
    opens = origin.joined_at + min_member_days * DAY_SECONDS
    if now >= opens:
        return None
    return f"{rule} ago. {_UNCHARGED} It opens for you <t:{opens:.0f}:R>."


def compose_quota(settings: GuildSettings, role_ids: Iterable[int]) -> RoleQuota:
    """The best of what a member's roles give; role_id 0. None leaves it as for everybody."""
    held = set(role_ids)
    quotas = [quota for quota in settings.role_quotas if quota.role_id in held]
    return RoleQuota(
        0,
        max((each.max_cost_per_day for each in quotas if each.max_cost_per_day is not None),
            default=None),
        max((each.max_waiting for each in quotas if each.max_waiting is not None), default=None),
        max((each.weight for each in quotas if each.weight is not None), default=None),
    )  # fmt: skip
