"""The answer to /models, and the lists from which people choose a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import discord

from bot.domain.licences import describe_licence
from bot.engine.api import ModelInfo
from bot.policy.models import OfferedModel
from bot.texts import models as texts
from bot.texts.units import say_duration
from bot.views.components import PanelItem
from bot.views.escape import cut, quote
from bot.views.jobs import compose_view

PANEL = "models"
PER_PAGE = 4
_MOST_CHOICES = 25
_CHOICE_MAX = 100
_LABEL_SHOWN, _ID_SHOWN, _NOTE_SHOWN, _LICENCE_SHOWN = 60, 100, 100, 80
_SIZES_SHOWN = 3

FindWait = Callable[[ModelInfo], float | None]
"""Estimates the seconds until a default request of a model would be done; None if unknown."""


def compose_models(
    models: Sequence[OfferedModel],
    default: str | None,
    find_wait: FindWait,
    *,
    page: int = 0,
    for_owner: bool = False,
) -> discord.ui.LayoutView:
    """Build a page of the models that a member can use. default: the id of the one used if they
    choose none. for_owner: also say why a model cannot draw.
    """
    if not models:
        return compose_view(texts.NOTHING())
    last = (len(models) - 1) // PER_PAGE
    page = min(page, last)
    parts = [f"**{texts.HEAD()}**"]
    for model in models[page * PER_PAGE : (page + 1) * PER_PAGE]:
        parts.append(_describe(model, find_wait, is_default=model.id == default))
        if model.is_out and for_owner:
            parts.append(f"-# {texts.WHY_FAILED(why=quote(model.note, _NOTE_SHOWN))}")
    parts.append(f"-# {texts.CHOOSE()}")
    buttons = [
        PanelItem(PANEL, f"page.{other}", discord.ui.Button[Any](label=texts.PAGE(page=other + 1)))
        for other in (page - 1, page + 1)
        if 0 <= other <= last
    ]
    row = discord.ui.ActionRow[Any](*buttons) if buttons else None
    return compose_view("\n".join(parts), row)


def _describe(model: OfferedModel, find_wait: FindWait, *, is_default: bool) -> str:
    name = f"**{quote(model.label, _LABEL_SHOWN)}**"
    if _fold(model.id) != _fold(model.label):
        name = f"{name} · {quote(model.id, _ID_SHOWN)}"
    lines = [texts.IS_DEFAULT(model=name) if is_default else name]
    if model.is_out:
        lines.append(f"-# {texts.FAILED()}")
    elif model.info is None or model.note:
        lines.append(f"-# {texts.LOADING()}")
    else:
        lines.append(f"-# {_describe_facts(model.info, find_wait)}")
    shown = quote(model.licence, _LICENCE_SHOWN)
    lines.append(f"-# {describe_licence(model.licence, shown)}")
    if model.only_edits:
        lines.append(f"-# {texts.ONLY_EDITS()}")
    if model.depicts_person:
        lines.append(f"-# {texts.DEPICTS_PERSON()}")
    return "\n".join(lines)


def _describe_facts(info: ModelInfo, find_wait: FindWait) -> str:
    sizes = list(dict.fromkeys(((info.width, info.height), *info.sizes)))
    shown = [f"{width}×{height}" for width, height in sizes[:_SIZES_SHOWN]]
    more = ["…"] if len(sizes) > _SIZES_SHOWN else []
    facts = texts.STEPS(sizes=", ".join(shown + more), count=info.num_inference_steps)
    wait = find_wait(info)
    return facts if wait is None else texts.NOW(facts=facts, wait=say_duration(wait))


def name_choice(model: OfferedModel) -> str:
    """Return the name of a model in a list to choose from, with a mark if it cannot draw."""
    label = cut(model.label, _LABEL_SHOWN)
    return cut(texts.CHOICE_FAILED(model=label) if model.is_out else label, _CHOICE_MAX)


def cut_id(model: str) -> str:
    """Cut a model's id to the length that Discord allows for a choice."""
    return model[:_CHOICE_MAX]


def list_options(
    models: Sequence[OfferedModel], chosen: Collection[str]
) -> list[discord.SelectOption]:
    """List the options of a select, at most 25. The chosen models are always among them."""
    first = [model for model in models if model.id in chosen]
    rest = [model for model in models if model.id not in chosen]
    kept = {model.id for model in (first + rest)[:_MOST_CHOICES]}
    return [
        discord.SelectOption(
            label=name_choice(model), value=cut_id(model.id), default=model.id in chosen
        )
        for model in models
        if model.id in kept
    ]


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
