"""Buttons, selects and forms. Their custom_id says what they do, so they work after a restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import discord

from bot.errors import UserError
from bot.texts.faults import UNKNOWN_BUTTON

ButtonAction = Callable[[discord.Interaction[Any], int, int], Awaitable[None]]
"""Called with the interaction, the job id and the panel."""

PanelAction = Callable[[discord.Interaction[Any], str, Sequence[str]], Awaitable[None]]
"""Called with the interaction, the path of the item, and the values picked in it (ids as text)."""

Place = tuple[int, int] | tuple[str]
"""What a form is about: the id of a job and a panel, or the path of an item in a panel."""

_CUSTOM_ID = re.compile(r"v1:(?P<action>[a-z]+):(?P<job_id>[0-9]{1,19}):(?P<panel>[0-3])")
_PANEL_ID = re.compile(
    r"v1:(?P<panel>settings|audit|privacy|models|round|roundmod):(?P<path>.{1,80})"
)
_SENT = "sent_form"  # a key in an interaction's ``extras``
_FORM_SECONDS = 3600.0  # how long discord.py remembers a form; the client answers older forms too


@dataclass(frozen=True, slots=True)
class FormActions:
    """The two functions for a kind of form. Both get the interaction and what the form is about.

    compose: builds the form, or answers and returns None. It also opens a refused form again.
    submit: handles a sent form. It also gets what was typed, by field.
    """

    compose: Callable[..., Awaitable[discord.ui.Modal | None]]
    submit: Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form that somebody has sent, and what was typed into it, by field."""

    name: str
    place: Place
    typed: dict[str, str] = field(repr=False)


class _Spoken:
    """Sets a person's language and time limit before an action. Refuses people who are too fast."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        return await interaction.client.admit(interaction)


class JobButton(_Spoken, discord.ui.DynamicItem[discord.ui.Button[Any]], template=_CUSTOM_ID):
    """A button with the id ``v1:<action>:<job id>:<panel>``; see ``add_button_action``."""

    def __init__(
        self,
        action: str,
        job_id: int,
        panel: int = 0,
        *,
        label: str | None = None,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
    ) -> None:
        custom_id = f"v1:{action}:{job_id}:{panel}"
        super().__init__(
            discord.ui.Button(label=label, style=style, custom_id=custom_id, disabled=disabled)
        )
        self.action = action
        self.job_id = job_id
        self.panel = panel

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[discord.Client],
        item: discord.ui.Item[Any],
        match: re.Match[str],
    ) -> Self:
        """Rebuild a pressed button from its custom_id alone."""
        return cls(match["action"], int(match["job_id"]), int(match["panel"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action."""
        run = interaction.client.button_actions.get(self.action, _refuse)
        await _answer(interaction, run(interaction, self.job_id, self.panel))


class PanelItem(
    _Spoken,
    discord.ui.DynamicItem[Any],
    template=_PANEL_ID,
):
    """A button or select with the id ``v1:<panel>:<path>``; see ``add_panel_action``."""

    def __init__(self, panel: str, path: str, item: Any) -> None:
        item.custom_id = f"v1:{panel}:{path}"
        super().__init__(item)
        self.panel = panel
        self.path = path

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[discord.Client],
        item: discord.ui.Item[Any],
        match: re.Match[str],
    ) -> Self:
        """Rebuild an item from its custom_id and the message it belongs to."""
        return cls(match["panel"], match["path"], item)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action."""
        values = [str(getattr(value, "id", value)) for value in getattr(self.item, "values", ())]
        run = interaction.client.panel_actions[self.panel]
        await _answer(interaction, run(interaction, self.path, values))


async def _answer(interaction: discord.Interaction[Any], work: Awaitable[None]) -> None:
    """Run the work, and tell the person about errors. discord.py would only log them."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - boundary: the same answers as for commands
        await interaction.client.answer_error(interaction, error)


class Form(discord.ui.Modal):
    """A form with a custom_id like that of a button or panel item, so it works after a restart."""

    def __init__(self, name: str, *place: int | str, title: str) -> None:
        custom_id = ":".join(map(str, ("v1", name, *place)))
        super().__init__(title=title, timeout=_FORM_SECONDS, custom_id=custom_id)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Do nothing. The client finds the action by the custom_id, even after a restart."""


class JobModal(Form):
    """A form about a job; ``answer_form`` runs its action."""

    def __init__(self, action: str, job_id: int, panel: int, *, title: str) -> None:
        super().__init__(action, job_id, panel, title=title)


def is_on_message(message: discord.Message | None, custom_id: str) -> bool:
    """Return whether the message has this button. If not, discord.py ignores presses of it."""
    if message is None:
        return False
    items = discord.ui.LayoutView.from_message(message).walk_children()
    return any(getattr(item, "custom_id", None) == custom_id for item in items)


def compose_answer(text: str, *buttons: JobButton) -> discord.ui.LayoutView:
    """Build an answer to one person: a sentence with buttons under it."""
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.TextDisplay(text))
    view.add_item(discord.ui.ActionRow[Any](*buttons))
    return view


async def open_form(
    interaction: discord.Interaction[Any],
    name: str,
    *place: int | str,
    typed: Mapping[str, str] | None = None,
) -> bool:
    """Open a form, filled in with what was typed before. Raises UserError.

    Returns False if the person got another answer instead of the form.
    """
    form = await interaction.client.forms[name].compose(interaction, *place)
    if form is None:
        return False
    for label in form.children:
        if isinstance(label, discord.ui.Label):
            _fill(label.component, typed or {})
    await interaction.response.send_modal(form)
    return True


def _fill(field: Any, typed: Mapping[str, str]) -> None:
    if isinstance(field, discord.ui.TextInput) and field.custom_id in typed:
        field.default = typed[field.custom_id] or None
    elif isinstance(field, discord.ui.Select) and field.custom_id in typed:
        for option in field.options:
            option.default = option.value == typed[field.custom_id]


async def answer_form(
    interaction: discord.Interaction[Any], forms: Mapping[str, FormActions]
) -> None:
    """Run the action of a sent form. If the action refuses, ``find_sent`` has what was typed."""
    data: Any = interaction.data
    if not await interaction.client.admit(interaction):
        return
    name, place = _parse_form_id(data["custom_id"])
    form, typed = forms.get(name), _read_fields(data)
    if form is None:
        await _answer(interaction, _refuse(interaction))
        return
    interaction.extras[_SENT] = SentForm(name, place, typed)
    await _answer(interaction, form.submit(interaction, *place, typed))


def find_sent(interaction: discord.Interaction[Any]) -> SentForm | None:
    """Return the form that was sent with this interaction, or None."""
    return interaction.extras.get(_SENT)


def _parse_form_id(custom_id: str) -> tuple[str, Place]:
    """Return a form's name and what it is about. The name is "" for forms of another version."""
    if match := _CUSTOM_ID.fullmatch(custom_id):
        return match["action"], (int(match["job_id"]), int(match["panel"]))
    if match := _PANEL_ID.fullmatch(custom_id):
        return match["panel"], (match["path"],)
    return "", ("",)


async def _refuse(interaction: discord.Interaction[Any], *_: object) -> None:
    raise UserError(UNKNOWN_BUTTON())


def _read_fields(data: Any) -> dict[str, str]:
    """Return what was typed or chosen. A select has at most one value here."""
    parts = [part.get("component") or {} for part in data["components"]]
    values = {part["custom_id"]: part.get("values") or [""] for part in parts if "values" in part}
    typed = {part["custom_id"]: part.get("value") or "" for part in parts if "custom_id" in part}
    return typed | {name: str(chosen[0]) for name, chosen in values.items()}
