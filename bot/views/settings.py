"""The panel of /settings: the current values, and selects and buttons to change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord

from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.rules import Outcome
from bot.policy.appeals import compose_appeal
from bot.policy.models import OfferedModel
from bot.store.settings import BOUNDS, MAX_APPEAL_LINE, QUOTA_BOUNDS
from bot.texts import settings as texts
from bot.texts.catalog import Text
from bot.texts.lists import AND_MORE
from bot.texts.reasons import Reason, say
from bot.views.components import PanelItem
from bot.views.escape import quote
from bot.views.models import list_options
from bot.views.moderation import compose_text

PANEL = "settings"
_SHOWN = 80
_PAGE_NUMBERS = {
    "people": ("min_member_days",),
    "review": ("review_newcomer_days", "review_hours", "reports_to_hide", "strikes_to_suspend",
               "strike_days", "suspension_days"),
    "pictures": ("nsfw_threshold",),
    "rounds": ("max_rounds", "round_vote_minutes"),
    "record": ("retention_days",),
}  # fmt: skip
ROUND_SWITCHES = (
    "rounds_on",
    "review_rounds",
    "rounds_anonymous",
    "round_own_votes",
    "round_live_counts",
)
_LISTED = 3  # the most roles or channels in one line of the audit log


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """What a page shows. page: a key of ``texts.PAGES``, or ``c`` and a channel's id.

    settings: the values in force. own: the names of the settings that this channel has changed.
    threshold: the bot owner's value. models: the models that can be chosen. default: the one that
    draws if a member chooses none; None until it is known. default_note: why it is not the chosen
    one.
    """

    page: str
    settings: GuildSettings
    threshold: float
    own: frozenset[str] = frozenset()
    channels: Sequence[int] = ()
    models: Sequence[OfferedModel] = ()
    default: OfferedModel | None = None
    default_note: Reason | None = None

    @property
    def channel_id(self) -> int | None:
        """Return the channel that this page is about; None if it is about the whole server."""
        return int(self.page[1:]) if self.page not in texts.PAGES else None


def compose_panel(panel: SettingsPage) -> discord.ui.LayoutView:
    """Build the message. All its buttons and selects still work after a restart."""
    rows = [discord.ui.ActionRow[Any](item) for item in (_page_select(panel), *_items(panel))]
    return compose_text(describe_panel(panel), *rows)


def describe_panel(panel: SettingsPage) -> str:
    """Describe the current settings."""
    settings = panel.settings
    title = f"<#{panel.channel_id}>" if panel.channel_id else texts.PAGES[panel.page]()
    lines = [f"## {title}"]
    if settings.is_paused:
        lines.append(texts.IS_PAUSED())
    if settings.review_channel_id is None:
        lines.append(texts.HOLD_MEANS_REFUSE())
    lines += [_describe_number(panel, name) for name in _PAGE_NUMBERS.get(panel.page, ())]
    lines += _describe_page(panel) if panel.channel_id is None else _describe_channel(panel)
    lines += _describe_default(panel) if panel.page == "models" else []
    if panel.page == "pictures" or panel.channel_id is not None:
        lines.append(texts.FLAGGED(action=_say_action(settings.picture_action)))
        lines.append(f"-# {texts.FLAGGED_FROM(threshold=panel.threshold)}")
    if panel.page == "pictures":
        models = ", ".join(quote(each, _SHOWN) for each in settings.reviewed_models)
        lines.append(texts.REVIEWED_MODELS(models=f"**{models or texts.NONE()}**"))
        lines.append(f"-# {texts.WHY_REVIEWED_MODELS()}")
    return "\n".join(lines)


def _describe_page(panel: SettingsPage) -> list[str]:
    settings = panel.settings
    match panel.page:
        case "people":
            return [
                texts.MODERATORS(roles=_roles(settings.moderator_role_ids, texts.NOBODY)),
                texts.WHO(roles=_roles(settings.allowed_role_ids, texts.EVERYBODY)),
                texts.WHERE(channels=_channels(settings.allowed_channel_ids, texts.EVERYWHERE)),
            ]
        case "review":
            channel = _channel(settings.review_channel_id)
            line = say(compose_appeal(settings))
            return [
                texts.REVIEW_CHANNEL(channel=channel),
                _describe_review(settings),
                texts.APPEALS(line=f"“{line}”"),
            ]
        case "quotas":
            return [texts.ABOUT_QUOTAS(), *map(_describe_quota, settings.role_quotas)]
        case "rounds":
            return _describe_rounds(settings)
        case "record":
            return [texts.MOD_LOG(channel=_channel(settings.mod_log_channel_id))]
        case _:
            channels = _channels(panel.channels, texts.NONE)
            return [texts.OF_CHANNELS(channels=channels)] if panel.page == "channels" else []


def _describe_rounds(settings: GuildSettings) -> list[str]:
    switches = [
        texts.VALUE(name=texts.NAMES[name](), value=describe_value(name, getattr(settings, name)))
        for name in ROUND_SWITCHES
    ]
    return [
        *switches,
        texts.ROUND_STARTERS(roles=_roles(settings.round_role_ids, texts.EVERYBODY)),
        texts.ROUND_CHANNELS(channels=_channels(settings.round_channel_ids, texts.EVERYWHERE)),
        texts.SHOWCASE(channel=_channel(settings.showcase_channel_id)),
    ]


def _describe_default(panel: SettingsPage) -> list[str]:
    label = quote(panel.default.label, _SHOWN) if panel.default else texts.NONE()
    if panel.default and panel.settings.default_model is None:
        label = texts.BOTS_DEFAULT(model=label)
    note = [say(panel.default_note)] if panel.default_note else []
    return [texts.DEFAULT_MODEL(model=label), *note, f"-# {texts.WHO_MAY_USE()}"]


def _describe_channel(panel: SettingsPage) -> list[str]:
    own = ", ".join(texts.NAMES[name]() for name in sorted(panel.own))
    return [
        _describe_number(panel, "nsfw_threshold"),
        _describe_review(panel.settings),
        f"-# {texts.OWN(names=own) if own else texts.NOTHING_OWN()}",
    ]


def describe_value(name: str, value: Any) -> str:
    """Describe a setting, given as JSON, in a few words for the audit log."""
    if isinstance(value, bool):
        return (texts.ON if value else texts.OFF)()
    if name == "picture_action":
        return _say_action(value)
    if name.endswith("channel_id"):
        return f"<#{value}>"
    if isinstance(value, list):
        shown = [_describe_listed(name, each) for each in value[:_LISTED]]
        rest = len(value) - len(shown)
        return ", ".join([*shown, AND_MORE(count=rest)] if rest else shown)
    if isinstance(value, int | float):
        return texts.NUMBER(number=value)
    return quote(str(value), _SHOWN)


def _describe_listed(name: str, value: Any) -> str:
    if name == "reviewed_models":
        return quote(str(value), _SHOWN)
    if name == "role_quotas":
        known = RoleQuota.__slots__  # a newer version may have saved settings that we do not know
        return _describe_quota(RoleQuota(**{k: v for k, v in value.items() if k in known}))
    return f"<@&{value}>" if name.endswith("role_ids") else f"<#{value}>"


def _say_action(action: str) -> str:
    return texts.PICTURE_ACTIONS.get(action, texts.PICTURE_ACTIONS["refuse"])()


def compose_number_field(name: str, value: float | None) -> discord.ui.Label[Any]:
    """Build a form field for a number. An empty field means the default."""
    low, high = (BOUNDS | QUOTA_BOUNDS)[name]
    field = discord.ui.TextInput[Any](
        custom_id=name,
        default=None if value is None else f"{value:g}",
        required=False,
        max_length=10,
    )
    description = texts.NUMBER_RANGE(low=low, high=high)
    label = (texts.NAMES | texts.QUOTA_NAMES)[name]()
    return discord.ui.Label(text=label, description=description, component=field)


def compose_line_field(line: str) -> discord.ui.Label[Any]:
    """Build the form field for how members appeal."""
    field = discord.ui.TextInput[Any](
        custom_id="appeal_line",
        style=discord.TextStyle.paragraph,
        default=line or None,
        required=False,
        max_length=MAX_APPEAL_LINE,
    )
    label = texts.NAMES["appeal_line"]()
    return discord.ui.Label(text=label, description=texts.LINE_HINT(), component=field)


def _items(panel: SettingsPage) -> list[Any]:
    settings, page = panel.settings, panel.page
    items: list[Any] = []
    match page:
        case "people":
            items = [
                _role_select(page, "moderator_role_ids", settings),
                _role_select(page, "allowed_role_ids", settings),
                _channel_select(page, "allowed_channel_ids", settings, 25),
            ]
        case "review":
            items = [
                _channel_select(page, "review_channel_id", settings, 1),
                _toggle(page, settings),
                _channel_select(page, "appeal_channel_id", settings, 1),
                PanelItem(
                    PANEL,
                    f"{page}.appeal_line",
                    discord.ui.Button[Any](label=texts.CHANGE_LINE()),
                ),
            ]
        case "pictures":
            chosen = settings.reviewed_models
            items = [
                _action_select(panel),
                *_model_select(panel, "reviewed_models", texts.CHOOSE_MODELS(), chosen),
            ]
        case "models":
            chosen = (settings.default_model,) if settings.default_model else ()
            items = _model_select(panel, "default_model", texts.CHOOSE_DEFAULT(), chosen, 1)
        case "quotas":
            select = discord.ui.RoleSelect[Any](placeholder=texts.CHOOSE_ROLE())
            items = [PanelItem(PANEL, f"{page}.quota", select)]
        case "rounds":
            items = [
                _switches(page, settings),
                _role_select(page, "round_role_ids", settings),
                _channel_select(page, "round_channel_ids", settings, 25),
                _channel_select(page, "showcase_channel_id", settings, 1),
            ]
        case "record":
            items = [_channel_select(page, "mod_log_channel_id", settings, 1)]
        case "channels":
            select = discord.ui.ChannelSelect[Any](
                placeholder=texts.CHOOSE_CHANNEL(), channel_types=[discord.ChannelType.text]
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
        discord.SelectOption(label=label(), value=page, default=page == panel.page)
        for page, label in texts.PAGES.items()
    ]
    select = discord.ui.Select[Any](options=options, placeholder=texts.OTHER_PAGES())
    return PanelItem(PANEL, "open.page", select)


def _number_select(page: str, names: Sequence[str], panel: SettingsPage) -> PanelItem:
    options = [
        discord.SelectOption(
            label=texts.NAMES[name](), value=name, description=_number(panel, name)
        )
        for name in names
    ]
    select = discord.ui.Select[Any](options=options, placeholder=texts.CHANGE_NUMBER())
    return PanelItem(PANEL, f"{page}.number", select)


def _action_select(panel: SettingsPage) -> PanelItem:
    offered = [Outcome.REFUSE, Outcome.HOLD]
    if panel.channel_id is not None:
        offered.append(Outcome.SPOILER)
    options = [
        discord.SelectOption(
            label=texts.CHOOSE_ACTION(action=_say_action(action)),
            value=action,
            default=action is panel.settings.picture_action,
        )
        for action in offered
    ]
    return PanelItem(PANEL, f"{panel.page}.picture_action", discord.ui.Select[Any](options=options))


def _switches(page: str, settings: GuildSettings) -> PanelItem:
    options = [
        discord.SelectOption(
            label=texts.NAMES[name](), value=name, default=bool(getattr(settings, name))
        )
        for name in ROUND_SWITCHES
    ]
    select = discord.ui.Select[Any](
        placeholder=texts.ROUND_SWITCHES(), min_values=0, max_values=len(options), options=options
    )
    return PanelItem(PANEL, f"{page}.switches", select)


def _role_select(page: str, name: str, settings: GuildSettings) -> PanelItem:
    kind = discord.SelectDefaultValueType.role
    chosen = [discord.SelectDefaultValue(id=each, type=kind) for each in getattr(settings, name)]
    select = discord.ui.RoleSelect[Any](
        placeholder=texts.NAMES[name](), min_values=0, max_values=25, default_values=chosen
    )
    return PanelItem(PANEL, f"{page}.{name}", select)


def _channel_select(page: str, name: str, settings: GuildSettings, most: int) -> PanelItem:
    value = getattr(settings, name)
    ids = value if isinstance(value, tuple) else (value,) if value else ()
    kind = discord.SelectDefaultValueType.channel
    select = discord.ui.ChannelSelect[Any](
        placeholder=texts.NAMES[name](),
        channel_types=[discord.ChannelType.text],
        min_values=0,
        max_values=most,
        default_values=[discord.SelectDefaultValue(id=each, type=kind) for each in ids],
    )
    return PanelItem(PANEL, f"{page}.{name}", select)


def _model_select(
    panel: SettingsPage, name: str, hint: str, chosen: Sequence[str], most: int | None = None
) -> list[PanelItem]:
    """Build a select of models. Before a model is known, it would be empty, so there is none."""
    options = list_options(panel.models, chosen)
    if not options:
        return []
    select = discord.ui.Select[Any](
        options=options, placeholder=hint, min_values=0, max_values=most or len(options)
    )
    return [PanelItem(PANEL, f"{panel.page}.{name}", select)]


def _toggle(page: str, settings: GuildSettings) -> PanelItem:
    label = (texts.STOP_REVIEW_ALL if settings.review_everything else texts.REVIEW_ALL)()
    return PanelItem(PANEL, f"{page}.review_everything", discord.ui.Button[Any](label=label))


def _reset_button(page: str) -> PanelItem:
    return PanelItem(PANEL, f"{page}.reset", discord.ui.Button[Any](label=texts.RESET()))


def _describe_review(settings: GuildSettings) -> str:
    return (texts.REVIEW_ON if settings.review_everything else texts.REVIEW_OFF)()


def _describe_quota(quota: RoleQuota) -> str:
    parts: list[str] = []
    if quota.max_cost_per_day is not None:
        parts.append(texts.QUOTA_COST(cost=quota.max_cost_per_day))
    if quota.max_waiting is not None:
        parts.append(texts.QUOTA_WAITING(count=quota.max_waiting))
    if quota.weight is not None:
        parts.append(texts.QUOTA_WEIGHT(weight=quota.weight))
    return texts.QUOTA(role_id=quota.role_id, quota=", ".join(parts))


def _describe_number(panel: SettingsPage, name: str) -> str:
    return texts.VALUE(name=texts.NAMES[name](), value=_number(panel, name))


def _number(panel: SettingsPage, name: str) -> str:
    value = getattr(panel.settings, name)
    if value is None:
        return texts.OWNERS_NUMBER(number=panel.threshold)
    return texts.NUMBER(number=value)


def _channel(channel_id: int | None) -> str:
    return f"**{texts.NONE()}**" if channel_id is None else f"<#{channel_id}>"


def _channels(ids: Sequence[int], none: Text) -> str:
    return " ".join(f"<#{each}>" for each in ids) or f"**{none()}**"


def _roles(ids: Sequence[int], none: Text) -> str:
    return " ".join(f"<@&{each}>" for each in ids) or f"**{none()}**"
