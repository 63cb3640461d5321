"""Judges prompts by the rules that apply to the member, the server and the channel."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Ancestry, Job, Origin
from bot.domain.recipes import StartPicture
from bot.domain.rules import MINORS, SUSPENDED, Outcome, Verdict
from bot.errors import TriptychError
from bot.moderation import NO_RULES, Explanation, PromptPolicy, RuleBook
from bot.policy.person_models import PersonModels
from bot.policy.reading import ReadingRoom
from bot.policy.rule_scale import RuleScale
from bot.store import Repositories
from bot.store.patience import take_time
from bot.texts.codes import Code
from bot.texts.reasons import because

_ALLOWED = Verdict(Outcome.ALLOW)
_DAY_SECONDS = 86400.0
_EVERYTHING = Verdict(Outcome.HOLD, because(Code.EVERYTHING_REVIEWED), "review everything")
_NEWCOMER = Verdict(Outcome.HOLD, because(Code.NEWCOMERS_REVIEWED), "review new members")


# The rules of this many servers stay compiled; each takes at most about 40 MB, plus caches.
# Compiling them again is quick.
_MAX_BOOKS = 32


class PromptGate:
    """Judges prompts by the rules of the whole installation and those of the server.

    The strictest rule wins. If no moderator could decide on a held prompt, it is refused.
    """

    def __init__(
        self,
        policy: PromptPolicy,
        store: Repositories,
        scale: RuleScale,
        room: ReadingRoom,
        now: Callable[[], float],
        persons: PersonModels,
    ) -> None:
        self._policy = policy
        self._settings = store.settings
        self._rules = store.rules
        self._sanctions = store.sanctions
        self._ancestry = store.ancestry
        self._scale = scale
        self._room = room
        self._now = now
        self._persons = persons
        self._books: OrderedDict[int, tuple[int, asyncio.Task[RuleBook]]] = OrderedDict()

    async def judge(
        self,
        origin: Origin,
        prompt: str,
        negative_prompt: str,
        settings: GuildSettings | None = None,
        start: StartPicture | None = None,
        model: str | None = None,
    ) -> Verdict:
        """Judge a new prompt.

        start: the picture to start from. The built-in classes also judge the prompts that led to
        this picture. model: the id of the model that will draw; None means the default one.
        Raises StoreError, and WorkerUnavailable if the bot is stopping.
        """
        settings = settings or await self.fetch_settings(origin)
        verdict = await self._judge_text(origin, prompt, negative_prompt, start, model)
        if verdict.is_allowed:
            review = find_review(origin, settings, self._now())
            if review is not None:
                verdict = replace(review, rules_version=verdict.rules_version)
        return verdict if has_review(origin, settings) else _refuse_held(verdict)

    async def judge_phrase(
        self,
        origin: Origin,
        phrase: str,
        together: str,
        settings: GuildSettings,
        start: StartPicture | None = None,
        model: str | None = None,
    ) -> Verdict:
        """Judge a phrase of a round: alone, and together with the rest of the round's prompt.

        If the phrase alone is not allowed, that verdict counts. If only the whole prompt is not
        allowed, the reason says so, and does not show the other phrases.
        """
        version, book = await self.fetch_book(origin.guild_id)
        ancestry, whose = await self.look_behind(start, model), _whose(origin)

        def judge() -> Verdict:
            alone = self._policy.judge(phrase, "", book, ancestry)
            return alone if not alone.is_allowed else self._judge_together(together, book, ancestry)

        verdict = replace(await self._room.run(whose, judge), rules_version=version)
        if verdict.is_allowed and (review := find_review(origin, settings, self._now())):
            verdict = replace(review, rules_version=version)
        return verdict if has_review(origin, settings) else _refuse_held(verdict)

    def _judge_together(self, text: str, book: RuleBook, ancestry: Ancestry) -> Verdict:
        verdict = self._policy.judge(text, "", book, ancestry)
        if verdict.is_allowed:
            return verdict
        return replace(verdict, reason=because(Code.PHRASE_IN_COMPANY, why=verdict.reason))

    async def judge_again(self, job: Job) -> Verdict:
        """Judge a job before delivery, because rules may have changed since it came in."""
        settings, recipe = await self.fetch_settings(job.origin), job.recipe
        verdict = await self._judge_text(
            job.origin, recipe.prompt, recipe.negative_prompt, recipe.start, recipe.model
        )
        is_settled = job.approved_by is not None and verdict.rule == job.rule
        if verdict.outcome is Outcome.HOLD and is_settled:
            return _ALLOWED
        return verdict if has_review(job.origin, settings) else _refuse_held(verdict)

    async def is_sealed(self, job: Job) -> bool:
        """Return whether a prompt is sexual content about minors. Not even moderators may see it.

        Such a prompt is never drawn, but an older version may have accepted it.
        """
        recipe = job.recipe
        verdict = await self._judge_by(
            NO_RULES,
            job.origin,
            recipe.prompt,
            recipe.negative_prompt,
            await self.look_behind(recipe.start, recipe.model),
        )
        return verdict.outcome is Outcome.REFUSE and verdict.rule == MINORS

    async def explain(self, guild_id: int, prompt: str) -> Explanation:
        """Return how a prompt is judged in a server: every reading, every match and the verdict."""
        version, book = await self.fetch_book(guild_id)
        async with self._room.trials[guild_id]:
            explanation = await self._room.run(guild_id, self._policy.explain, prompt, book)
        verdict = replace(explanation.verdict, rules_version=version)
        return replace(explanation, verdict=verdict)

    async def fetch_book(self, guild_id: int | None) -> tuple[int, RuleBook]:
        """Return the version of a server's rules, and the rules. Each version is compiled once."""
        version = await self._rules.fetch_version(guild_id)
        if guild_id is None or version == 0:
            return version, NO_RULES
        kept = self._books.get(guild_id)
        if kept is None or kept[0] != version:
            kept = (version, asyncio.create_task(self._compile(guild_id, version)))
            self._books[guild_id] = kept
        self._books.move_to_end(guild_id)
        while len(self._books) > _MAX_BOOKS:
            self._books.popitem(last=False)
        try:
            return version, await asyncio.shield(kept[1])
        except TriptychError:
            if self._books.get(guild_id) == kept:
                del self._books[guild_id]
            raise

    async def _compile(self, guild_id: int, version: int) -> RuleBook:
        """Compile the rules that fit the server's budget. It takes a few milliseconds."""
        take_time()  # no time limit, because other prompts wait for these rules too
        rules = await self._rules.list_rules(guild_id)
        beyond = await self._scale.find_beyond(guild_id, version, rules)
        applied = [each.rule for each in rules if each.rule_id not in beyond]
        return await self._room.run(guild_id, RuleBook, applied)

    async def fetch_settings(self, origin: Origin) -> GuildSettings:
        """Return the settings of the server and channel of a prompt."""
        return await self._settings.fetch(
            origin.guild_id, origin.channel_id, origin.parent_channel_id
        )

    async def _judge_text(
        self,
        origin: Origin,
        prompt: str,
        negative_prompt: str,
        start: StartPicture | None,
        model: str | None,
    ) -> Verdict:
        version, book = await self.fetch_book(origin.guild_id)
        ancestry = await self.look_behind(start, model)
        verdict = await self._judge_by(book, origin, prompt, negative_prompt, ancestry)
        return replace(verdict, rules_version=version)

    async def look_behind(self, start: StartPicture | None, model: str | None) -> Ancestry:
        """Fetch the history of a start picture. Find out whether a model shows a real person."""
        ancestry = await self._ancestry.fetch(start)
        shown = [await self._persons.includes(each) for each in (model, *ancestry.models)]
        return replace(ancestry, depicts_person=any(shown))

    async def _judge_by(
        self, own: RuleBook, origin: Origin, prompt: str, negative: str, ancestry: Ancestry
    ) -> Verdict:
        return await self._room.run(
            _whose(origin), self._policy.judge, prompt, negative, own, ancestry
        )

    async def find_suspended(self, origin: Origin) -> Verdict | None:
        """Return the verdict for a member who is suspended here; None for everybody else."""
        if origin.guild_id is None:
            return None
        suspension = await self._sanctions.fetch_suspension_of(
            origin.guild_id, origin.user_id, self._now()
        )
        if suspension is None:
            return None
        why = because(Code.SUSPENDED, until=suspension.ends_at, why=suspension.reason)
        return Verdict(Outcome.REFUSE, why, SUSPENDED)


def _whose(origin: Origin) -> int:
    return origin.user_id if origin.guild_id is None else origin.guild_id


def has_review(origin: Origin, settings: GuildSettings) -> bool:
    """Return whether moderators can see a held prompt, and whether their decision can be posted."""
    is_reachable = origin.guild_id is not None and origin.bot_in_channel
    return is_reachable and settings.review_channel_id is not None


def find_review(origin: Origin, settings: GuildSettings, now: float) -> Verdict | None:
    """Return a verdict if every prompt here or of this member is reviewed, otherwise None."""
    if settings.review_everything:
        return _EVERYTHING
    newest_seconds = settings.review_newcomer_days * _DAY_SECONDS
    is_new = origin.joined_at is None or now - origin.joined_at < newest_seconds
    return _NEWCOMER if origin.guild_id is not None and newest_seconds and is_new else None


def _refuse_held(verdict: Verdict) -> Verdict:
    if verdict.outcome is not Outcome.HOLD:
        return verdict
    why = because(Code.NO_REVIEW_HERE, why=verdict.reason)
    return replace(verdict, outcome=Outcome.REFUSE, reason=why)
