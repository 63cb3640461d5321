"""Buttons and selects: what they do stands in their custom_id, so they work after any restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import discord

ButtonAction = Callable[[discord.Interaction[Any], int, int], Awaitable[None]]
"""Called with the press, the job id and the panel."""

PanelAction = Callable[[discord.Interaction[Any], str, Sequence[str]], Awaitable[None]]
"""Called with the interaction, the path of the item, and what was picked in it, ids as text."""


class JobButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"v1:(?P<action>[a-z]+):(?P<job_id>[0-9]+):(?P<panel>[0-3])",
):
    """``v1:<action>:<job id>:<panel>``; cogs say what an action does with ``add_button_action``."""

    def __init__(
        self,
        action: str,
        job_id: int,
        panel: int = 0,
        *,
        label: str | None = None,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        super().__init__(
            discord.ui.Button(label=label, style=style, custom_id=f"v1:{action}:{job_id}:{panel}")
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
        run = interaction.client.button_actions[self.action]
        await _answer(interaction, run(interaction, self.job_id, self.panel))


class PanelItem(
    discord.ui.DynamicItem[Any], template=r"v1:(?P<panel>settings|audit|privacy):(?P<path>.{1,80})"
):
    """``v1:<panel>:<path>`` around a button or a select; ``add_panel_action`` says what it does."""

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
        """Rebuild what was used from its custom_id and the message it stands in."""
        return cls(match["panel"], match["path"], item)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action."""
        values = [str(getattr(value, "id", value)) for value in getattr(self.item, "values", ())]
        run = interaction.client.panel_actions[self.panel]
        await _answer(interaction, run(interaction, self.path, values))


class Form(discord.ui.Modal):
    """A form of text fields; ``run`` gets what was typed, by field. A restart closes it."""

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
        """Hand over what was typed."""
        typed = {
            name: label.component.value
            for name, label in self._inputs.items()
            if isinstance(label.component, discord.ui.TextInput)
        }
        await self._run(interaction, typed)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        """The same answers as for commands."""
        await interaction.client.answer_error(interaction, error)


async def _answer(interaction: discord.Interaction[Any], work: Awaitable[None]) -> None:
    """discord.py would only log an exception of a button, so answer it."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - border: the same answers as for commands
        await interaction.client.answer_error(interaction, error)
