"""Styles: six come with Triptych, and each server can change them and add its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.recipes import Ask, Style
from bot.domain.samplers import find_sampler
from bot.engine.api import ModelInfo
from bot.errors import UserError
from bot.recipes.validate import check_sampler
from bot.store import AuditRepository, StyleRepository
from bot.texts import recipes as texts
from bot.texts.codes import Code
from bot.texts.reasons import because

MAX_STYLES = 50
MAX_STYLE_TEXT = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9 -]{0,31}")

STARTERS = (
    Style("photo", "a photograph of", "natural light, sharp focus", "drawing, painting, blurry"),
    Style("watercolour", "a watercolour painting of", "soft washes", "photograph"),
    Style("oil painting", "an oil painting of", "thick brush strokes", "photograph"),
    Style("ink", "an ink drawing of", "black lines on white paper", "photograph, colour"),
    Style("pixel art", "pixel art of", "16-bit", "photograph, blurry"),
    Style("low poly", "a low poly 3d render of", "flat shading", "photograph"),
)


class Styles:
    """A server's styles. Its own styles replace Triptych's styles of the same name."""

    def __init__(
        self, styles: StyleRepository, audit: AuditRepository, now: Callable[[], float]
    ) -> None:
        self._styles = styles
        self._audit = audit
        self._now = now

    async def list_of(self, guild_id: int | None) -> list[Style]:
        """List the styles that the server offers, by name."""
        own = [] if guild_id is None else await self._styles.list_of(guild_id)
        known = {style.name: style for style in [*STARTERS, *own]}
        return [known[name] for name in sorted(known) if not known[name].is_removed]

    async def apply(
        self, ask: Ask, name: str | None, guild_id: int | None, info: ModelInfo | None = None
    ) -> Ask:
        """Put a style around a prompt. The rules later judge both together. Raises UserError.

        info: the model that will draw. What it cannot use of the style is left out.
        """
        if not name or not name.strip():
            return ask
        wanted = name.strip().lower()
        offered = await self.list_of(guild_id)
        style = next((style for style in offered if style.name == wanted), None)
        if style is None:
            raise UserError(because(Code.STYLE_UNKNOWN, known=[each.name for each in offered]))
        return apply_style(style if info is None else fit_style(style, info), ask)

    async def put(self, guild_id: int, style: Style, changed_by: int) -> None:
        """Add a style or change one. Raises UserError."""
        style = replace(style, name=style.name.strip().lower())
        _check(style)
        async with self._styles.transaction():
            own = {known.name for known in await self._styles.list_of(guild_id)}
            old = await self._find(guild_id, style.name)
            if style.name not in own and len(own) >= MAX_STYLES:
                raise UserError(texts.TOO_MANY_STYLES(count=MAX_STYLES))
            await self._styles.put(guild_id, style, changed_by=changed_by, now=self._now())
            await self._record(AuditAction.STYLE_SAVED, guild_id, changed_by, old, style)

    async def remove(self, guild_id: int, name: str, changed_by: int) -> None:
        """Remove a style from a server. Raises UserError if the server does not have it."""
        name = name.strip().lower()
        async with self._styles.transaction():
            old = await self._find(guild_id, name)
            if old is None:
                raise UserError(texts.NO_SUCH_STYLE())
            if any(style.name == name for style in STARTERS):
                gone = Style(name, is_removed=True)
                await self._styles.put(guild_id, gone, changed_by=changed_by, now=self._now())
            else:
                await self._styles.delete(guild_id, name)
            await self._record(AuditAction.STYLE_REMOVED, guild_id, changed_by, old, None)

    async def _find(self, guild_id: int, name: str) -> Style | None:
        return next((each for each in await self.list_of(guild_id) if each.name == name), None)

    async def _record(
        self, action: AuditAction, guild_id: int, by: int, old: Style | None, new: Style | None
    ) -> None:
        entry = AuditEntry(action, self._now(), guild_id=guild_id, actor_id=by)
        known = old or new
        what = because(Code.STYLE, name=known.name if known else "")
        values = {"old_value": _describe(old), "new_value": _describe(new)}
        await self._audit.add(replace(entry, reason=what, **values))


def fit_style(style: Style, info: ModelInfo) -> Style:
    """Return the style without a sampler that the model lacks, and without steps if it has its own
    few.
    """
    sampler = find_sampler(style.sampler or "")
    return replace(
        style,
        sampler=sampler if sampler in info.samplers else None,
        num_inference_steps=None if info.is_distilled else style.num_inference_steps,
    )


def apply_style(style: Style, ask: Ask) -> Ask:
    """Put a style around a prompt. Typed values take precedence over the style's values."""
    negative = filter(None, (ask.negative_prompt, style.negative_prompt))
    return replace(
        ask,
        prompt=_put_around(style, ask.prompt),
        own_words=ask.own_words or ask.prompt,
        negative_prompt=", ".join(negative),
        sampler=ask.sampler or style.sampler,
        num_inference_steps=ask.num_inference_steps or style.num_inference_steps,
    )


def _describe(style: Style | None) -> str:
    """Return a style as JSON without its empty fields; "" for None."""
    if style is None:
        return ""
    values = {key: value for key, value in asdict(style).items() if value and key != "name"}
    return json.dumps(values, ensure_ascii=False)


def _put_around(style: Style, prompt: str) -> str:
    if not prompt.strip():
        return prompt  # leave it empty, so that intake refuses it: a style alone is no prompt
    start = f"{style.before} {prompt}" if style.before else prompt
    return f"{start}, {style.after}" if style.after else start


def _check(style: Style) -> None:
    if not _NAME.fullmatch(style.name):
        raise UserError(texts.STYLE_NAME_WRONG())
    parts = (style.before, style.after, style.negative_prompt)
    if not any(parts):
        raise UserError(texts.STYLE_EMPTY())
    if max(map(len, parts)) > MAX_STYLE_TEXT:
        raise UserError(texts.STYLE_TOO_LONG(count=MAX_STYLE_TEXT))
    check_sampler(style.sampler)
