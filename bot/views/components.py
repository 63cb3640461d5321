"""Buttons, selects and forms. Their custom_id says what they do, so they survive a restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import discord

from bot.errors import UserError
from bot.texts.faults import UNKNOWN_BUTTON

ButtonAction = Callable[[discord.Interaction[Any], int, int], Awaitable[None]]
"""Called with the press, the job id and the panel."""

PanelAction = Callable[[discord.Interaction[Any], str, Sequence[str]], Awaitable[None]]
"""Called with the interaction, the path of the item, and what was picked in it, ids as text."""

ModalAction = Callable[[discord.Interaction[Any], int, int, dict[str, str]], Awaitable[None]]
"""Called with the sent form, the job id, the panel, and what was written, by field."""

_CUSTOM_ID = re.compile(r"v1:(?P<action>[a-z]+):(?P<job_id>[0-9]{1,19}):(?P<panel>[0-3])")
_FORM_SECONDS = 3600.0  # how long discord.py remembers a form; after that it still works


class _Spoken:
    """Answers in the language of the person who used it, in time, and not too often."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        return await interaction.client.admit(interaction)


class JobButton(_Spoken, discord.ui.DynamicItem[discord.ui.Button[Any]], template=_CUSTOM_ID):
    """``v1:<action>:<job id>:<panel>``; cogs register actions with ``add_button_action``."""

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
    template=r"v1:(?P<panel>settings|audit|privacy):(?P<path>.{1,80})",
):
    """``v1:<panel>:<path>`` around a button or a select; see ``add_panel_action``."""

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


class ModalForm(_Spoken, discord.ui.Modal):
    """A form of text fields. ``run`` gets the typed texts by field. A restart closes it."""

    def __init__(
        self,
        title: str,
        fields: dict[str, discord.ui.Label[Any]],
        run: Callable[[discord.Interaction[Any], dict[str, str]], Awaitable[None]],
    ) -> None:
        super().__init__(title=title, timeout=15 * 60)
        self._inputs = fields
        self._run = run
        for label in fields.values():
            self.add_item(label)

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        """Pass on what was typed."""
        typed = {
            name: label.component.value
            for name, label in self._inputs.items()
            if isinstance(label.component, discord.ui.TextInput)
        }
        await self._run(interaction, typed)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        """Answer errors as for commands."""
        await interaction.client.answer_error(interaction, error)


async def _answer(interaction: discord.Interaction[Any], work: Awaitable[None]) -> None:
    """Run the work and answer its errors; discord.py would only log them."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - boundary: the same answers as for commands
        await interaction.client.answer_error(interaction, error)


class JobModal(discord.ui.Modal):
    """A form with the custom_id of a button; ``answer_form`` runs its action."""

    def __init__(self, action: str, job_id: int, panel: int, *, title: str) -> None:
        custom_id = f"v1:{action}:{job_id}:{panel}"
        super().__init__(title=title, timeout=_FORM_SECONDS, custom_id=custom_id)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Do nothing: the client answers by the custom_id, which also works after a restart."""


def is_on_message(message: discord.Message | None, custom_id: str) -> bool:
    """Whether the message has this button. discord.py silently drops presses of other buttons."""
    if message is None:
        return False
    items = discord.ui.LayoutView.from_message(message).walk_children()
    return any(getattr(item, "custom_id", None) == custom_id for item in items)


async def answer_form(
    interaction: discord.Interaction[Any], actions: dict[str, ModalAction]
) -> None:
    """Run the action of a sent ``JobModal``. Other forms are answered by their opener."""
    data: Any = interaction.data
    match = _CUSTOM_ID.fullmatch(data["custom_id"])
    if match is None or not await interaction.client.admit(interaction):
        return
    run = actions.get(match["action"], _refuse)
    fields = _read_fields(data)
    await _answer(interaction, run(interaction, int(match["job_id"]), int(match["panel"]), fields))


async def _refuse(interaction: discord.Interaction[Any], *_: object) -> None:
    raise UserError(UNKNOWN_BUTTON())


def _read_fields(data: Any) -> dict[str, str]:
    parts = [part.get("component") or {} for part in data["components"]]
    return {part["custom_id"]: part.get("value") or "" for part in parts if "custom_id" in part}
