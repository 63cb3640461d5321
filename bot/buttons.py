"""The one button class: what it does stands in its custom_id, so it works after any restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

import discord

ButtonAction = Callable[[discord.Interaction[Any], int, int], Awaitable[None]]
"""Called with the press, the job id and the panel."""


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
        """Run the action; discord.py would only log an exception from here, so answer it."""
        client = interaction.client
        try:
            await client.button_actions[self.action](interaction, self.job_id, self.panel)
        except Exception as error:  # noqa: BLE001 - border: the same answers as for commands
            await client.answer_error(interaction, error)
