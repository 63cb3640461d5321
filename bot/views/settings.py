"""The panel of /settings: what is set, and selects and buttons to change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord

from bot.domain.guilds import GuildSettings
from bot.domain.rules import Outcome
from bot.store.settings import BOUNDS, QUOTA_BOUNDS
from bot.views.components import PanelItem
from bot.views.moderation import compose_text

PANEL = "settings"
PAGES = {
    "people": "Who may prompt, and where",
    "review": "Review, reports and sanctions",
    "pictures": "Picture check",
    "quotas": "Quotas by role",
    "record": "Mod log and how long things are kept",
    "channels": "Channels of their own",
}
NUMBERS = {
    "min_member_days": "Days a member must have been here",
    "review_newcomer_days": "Days during which newcomers are held",
    "review_hours": "Hours until a card expires",
    "reports_to_hide": "Reports that hide a picture",
    "strikes_to_suspend": "Strikes that suspend",
    "strike_days": "Days until a strike lapses",
    "suspension_days": "Days of a suspension",
    "nsfw_threshold": "Score that flags a picture",
    "retention_days": "Days that records are kept",
}
QUOTA_FIELDS = {
    "max_cost_per_day": "Cost in 24 hours (1 = a default prompt)",
    "max_waiting": "Prompts in the queue at once",
    "weight": "Weight in the queue (1 = as everybody)",
}
_PAGE_NUMBERS = {
    "people": ("min_member_days",),
    "review": ("review_newcomer_days", "review_hours", "reports_to_hide", "strikes_to_suspend",
               "strike_days", "suspension_days"),
    "pictures": ("nsfw_threshold",),
    "record": ("retention_days",),
}  # fmt: skip
_ACTIONS = {
    Outcome.REFUSE: "hide it",
    Outcome.HOLD: "hold it for a moderator",
    Outcome.SPOILER: "show it under a spoiler",
}
HOLD_MEANS_REFUSE = (
    "**No review channel is set, so whatever should be held for a moderator is refused.**"
)
NO_SPOILER = (
    "Pictures that the check flags can be shown under a spoiler only in channels that Discord "
    "restricts to adults. Nothing was changed."
)
CANNOT_SEND = (
    "I cannot write in {channel}: give me “View Channel” and “Send Messages” there, then choose it "
    "again. Nothing was changed."
)


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """What a page shows. page: of PAGES, or ``c`` and a channel's id.

    settings: what holds there; own: what was set for just this channel. threshold: the instance's.
    """

    page: str
    settings: GuildSettings
    threshold: float
    own: frozenset[str] = frozenset()
    channels: Sequence[int] = ()

    @property
    def channel_id(self) -> int | None:
        """Of a channel's page."""
        return int(self.page[1:]) if self.page not in PAGES else None


def compose_panel(panel: SettingsPage) -> discord.ui.LayoutView:
    """The message; everything in it works after a restart."""
    rows = [discord.ui.ActionRow[Any](item) for item in (_page_select(panel), *_items(panel))]
    return compose_text(describe_panel(panel), *rows)


def describe_panel(panel: SettingsPage) -> str:
    """What is set, in words."""
    settings = panel.settings
    lines = [f"## {PAGES.get(panel.page, f'<#{panel.channel_id}>')}"]
    if settings.is_paused:
        lines.append("**Paused**: no new prompts are taken until `/resume`.")
    if settings.review_channel_id is None:
        lines.append(HOLD_MEANS_REFUSE)
    for name in _PAGE_NUMBERS.get(panel.page, ()):
        lines.append(f"{NUMBERS[name]}: **{_number(panel, name)}**")
    lines += _describe_page(panel)
    if panel.page == "pictures" or panel.channel_id is not None:
        lines.append(f"A flagged picture: **{_ACTIONS.get(settings.picture_action, 'hide it')}**")
        lines.append(
            f"-# A picture is flagged from a score of {panel.threshold:g} on, as the owner of this "
            "bot has set; less is stricter. Only channels for adults may be looser."
        )
    return "\n".join(lines)


def _describe_page(panel: SettingsPage) -> list[str]:
    settings = panel.settings
    match panel.page:
        case "people":
            return [
                "Moderators besides those with “Manage Messages”: "
                f"{_roles(settings.moderator_role_ids, 'nobody')}",
                f"Who may prompt: {_roles(settings.allowed_role_ids, 'everybody')}",
                f"Where: {_channels(settings.allowed_channel_ids, 'in every channel')}",
            ]
        case "review":
            channel = _channel(settings.review_channel_id)
            return [f"Review channel: {channel}", _describe_review(settings)]
        case "quotas":
            return _describe_quotas(settings)
        case "pictures" | "record":
            is_record = panel.page == "record"
            return [f"Mod log: {_channel(settings.mod_log_channel_id)}"] if is_record else []
        case "channels":
            return [
                "A channel may have its own picture check, and “review everything”. Channels with "
                f"values of their own: {_channels(panel.channels, 'none')}"
            ]
        case _:
            own = ", ".join(sorted(name.replace("_", " ") for name in panel.own))
            return [
                f"{NUMBERS['nsfw_threshold']}: **{_number(panel, 'nsfw_threshold')}**",
                _describe_review(settings),
                f"-# Its own: {own}" if own else "-# All as in the whole server.",
            ]


def compose_number_field(name: str, value: float | None) -> discord.ui.Label[Any]:
    """A field of a form. Empty means the default."""
    low, high = (BOUNDS | QUOTA_BOUNDS)[name]
    field = discord.ui.TextInput[Any](
        default=None if value is None else f"{value:g}", required=False, max_length=10
    )
    description = f"From {low:g} to {high:g}; empty for the default"
    label = (NUMBERS | QUOTA_FIELDS)[name]
    return discord.ui.Label(text=label, description=description, component=field)


def _items(panel: SettingsPage) -> list[Any]:
    settings, page = panel.settings, panel.page
    items: list[Any] = []
    match page:
        case "people":
            items = [
                _role_select(page, "moderator_role_ids", "Moderator roles", settings),
                _role_select(page, "allowed_role_ids", "Roles that may prompt", settings),
                _channel_select(page, "allowed_channel_ids", "Channels to prompt in", settings, 25),
            ]
        case "review":
            items = [
                _channel_select(page, "review_channel_id", "Review channel", settings, 1),
                _toggle(page, settings),
            ]
        case "pictures":
            items = [_action_select(panel)]
        case "quotas":
            select = discord.ui.RoleSelect[Any](placeholder="Choose a role to change its quota")
            items = [PanelItem(PANEL, f"{page}.quota", select)]
        case "record":
            items = [_channel_select(page, "mod_log_channel_id", "Mod-log channel", settings, 1)]
        case "channels":
            select = discord.ui.ChannelSelect[Any](
                placeholder="Choose a channel", channel_types=[discord.ChannelType.text]
            )
            items = [PanelItem(PANEL, f"{page}.pick", select)]
        case _:
            items = [_action_select(panel), _number_select(page, ("nsfw_threshold",), panel),
                     _toggle(page, settings), _reset_button(page)]  # fmt: skip
    if page in _PAGE_NUMBERS:
        items.append(_number_select(page, _PAGE_NUMBERS[page], panel))
    return items


def _page_select(panel: SettingsPage) -> PanelItem:
    options = [
        discord.SelectOption(label=label, value=page, default=page == panel.page)
        for page, label in PAGES.items()
    ]
    select = discord.ui.Select[Any](options=options, placeholder="Other settings")
    return PanelItem(PANEL, "open.page", select)


def _number_select(page: str, names: Sequence[str], panel: SettingsPage) -> PanelItem:
    options = [
        discord.SelectOption(label=NUMBERS[name], value=name, description=_number(panel, name))
        for name in names
    ]
    select = discord.ui.Select[Any](options=options, placeholder="Change a number")
    return PanelItem(PANEL, f"{page}.number", select)


def _action_select(panel: SettingsPage) -> PanelItem:
    offered = [Outcome.REFUSE, Outcome.HOLD]
    if panel.channel_id is not None:
        offered.append(Outcome.SPOILER)
    options = [
        discord.SelectOption(
            label=f"Flagged: {_ACTIONS[action]}",
            value=action,
            default=action is panel.settings.picture_action,
        )
        for action in offered
    ]
    return PanelItem(PANEL, f"{panel.page}.picture_action", discord.ui.Select[Any](options=options))


def _role_select(page: str, name: str, label: str, settings: GuildSettings) -> PanelItem:
    kind = discord.SelectDefaultValueType.role
    chosen = [discord.SelectDefaultValue(id=each, type=kind) for each in getattr(settings, name)]
    select = discord.ui.RoleSelect[Any](
        placeholder=label, min_values=0, max_values=25, default_values=chosen
    )
    return PanelItem(PANEL, f"{page}.{name}", select)


def _channel_select(
    page: str, name: str, label: str, settings: GuildSettings, most: int
) -> PanelItem:
    value = getattr(settings, name)
    ids = value if isinstance(value, tuple) else (value,) if value else ()
    kind = discord.SelectDefaultValueType.channel
    select = discord.ui.ChannelSelect[Any](
        placeholder=label,
        channel_types=[discord.ChannelType.text],
        min_values=0,
        max_values=most,
        default_values=[discord.SelectDefaultValue(id=each, type=kind) for each in ids],
    )
    return PanelItem(PANEL, f"{page}.{name}", select)


def _toggle(page: str, settings: GuildSettings) -> PanelItem:
    label = "Stop reviewing everything" if settings.review_everything else "Review everything"
    return PanelItem(PANEL, f"{page}.review_everything", discord.ui.Button[Any](label=label))


def _reset_button(page: str) -> PanelItem:
    return PanelItem(PANEL, f"{page}.reset", discord.ui.Button[Any](label="As in the whole server"))


def _describe_review(settings: GuildSettings) -> str:
    if settings.review_everything:
        return "Review everything: **on** — every prompt is held until a moderator allows it."
    return "Review everything: **off**"


def _describe_quotas(settings: GuildSettings) -> list[str]:
    lines = [
        "Members get the best of what their roles give, and never more than the owner of this bot "
        "allows. A role without a quota changes nothing."
    ]
    for quota in settings.role_quotas:
        parts = []
        if quota.max_cost_per_day is not None:
            parts.append(f"cost {quota.max_cost_per_day:g} in 24 hours")
        if quota.max_waiting is not None:
            parts.append(f"{quota.max_waiting} in the queue at once")
        if quota.weight is not None:
            parts.append(f"weight {quota.weight:g}")
        lines.append(f"<@&{quota.role_id}>: {', '.join(parts)}")
    return lines


def _number(panel: SettingsPage, name: str) -> str:
    value = getattr(panel.settings, name)
    return f"{panel.threshold:g} (the owner's)" if value is None else f"{value:g}"


def _channel(channel_id: int | None) -> str:
    return "**none**" if channel_id is None else f"<#{channel_id}>"


def _channels(ids: Sequence[int], none: str) -> str:
    return " ".join(f"<#{each}>" for each in ids) or f"**{none}**"


def _roles(ids: Sequence[int], none: str) -> str:
    return " ".join(f"<@&{each}>" for each in ids) or f"**{none}**"
