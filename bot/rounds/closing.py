"""Closes rounds: chooses the phrases, judges the whole prompt, and hands the job to the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.audit import AuditAction, AuditEntry, compose_audit_entry
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job
from bot.domain.recipes import Recipe
from bot.domain.rounds import Phrase, PhraseStatus, Round, RoundStatus
from bot.domain.rules import Outcome, Verdict
from bot.errors import UserError, WorkerUnavailable
from bot.jobs.group_intake import GroupIntake, Payer
from bot.ops.logs import of_job
from bot.policy.prompts import PromptGate, has_review
from bot.review.notices import Notices
from bot.rounds.board import Board
from bot.rounds.prompts import compose_origin
from bot.rounds.room import Prompts
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3600.0
"""How long a round that is due waits for room in the queue, or for the end of a pause."""

ANSWER_SECONDS = 3600.0
"""How long the starter has to answer whether to draw, although too few people took part."""

MIN_AUTHORS = 2
_REVIEW = Verdict(Outcome.HOLD, because(Code.ROUND_REVIEWED), "review rounds")
_SPENT = because(Code.AUTHOR_WITHOUT_SHARE)
_NO_REVIEW = Verdict(Outcome.REFUSE, because(Code.NO_REVIEW_HERE, why=_REVIEW.reason))

_LeftOut = dict[int, tuple[Phrase, Reason]]
"""By author: a phrase that was left out, and why. The author is told both."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What would be drawn, who would pay for it, and what the rules say about it.

    left_out: the phrases of authors who cannot pay.
    """

    phrases: Sequence[Phrase]
    payers: Sequence[Payer]
    recipe: Recipe
    cost: float
    verdict: Verdict
    left_out: _LeftOut


class Closing:
    """Turns an open round into a job, or ends it with a reason.

    The job, the shares, the used phrases and the round's next state are saved in one transaction.
    So after a stop at any moment, either the round is closed again, or its job is in the queue.
    """

    def __init__(
        self,
        store: Repositories,
        gate: PromptGate,
        intake: GroupIntake,
        prompts: Prompts,
        board: Board,
        notices: Notices,
        now: Callable[[], float],
    ) -> None:
        self._rounds = store.rounds
        self._phrases = store.phrases
        self._audit = store.audit
        self._sanctions = store.sanctions
        self._gate = gate
        self._intake = intake
        self._prompts = prompts
        self._board = board
        self._notices = notices
        self._now = now

    async def close(self, round_: Round) -> None:
        """Close a round that is due, or whose starter wants it drawn anyway.

        If it cannot be drawn yet, the chore calls this method again.
        """
        left_out: _LeftOut = {}
        job = await self._close(round_, left_out)
        if job is not None:
            await self._intake.pass_on(job)
        for phrase, why in left_out.values():
            await self._notices.tell_left_out(phrase, why)

    async def _close(self, round_: Round, left_out: _LeftOut) -> Job | None:
        origin = compose_origin(round_)
        settings = await self._gate.fetch_settings(origin)
        hindrance = await self._intake.find_hindrance(origin)
        if settings.is_paused:
            hindrance = because(Code.SERVER_PAUSED)
        if hindrance is not None:
            await self._wait(round_, hindrance)
            return None
        drawing = await self._try_prepare(round_, settings, left_out)
        if drawing is None:
            return None
        if len(drawing.payers) < MIN_AUTHORS and round_.status is RoundStatus.OPEN:
            await self._ask(round_)
        elif await self._board.show_now(round_):  # without a message, nobody sees the pictures
            job = await self._commit(round_, drawing)
            if job is not None:
                left_out |= drawing.left_out
            return job
        return None

    async def _try_prepare(
        self, round_: Round, settings: GuildSettings, left_out: _LeftOut
    ) -> _Drawing | None:
        """Find out what to draw. None if the round has failed, or the chore must try again."""
        try:
            return await self._prepare(round_, settings, left_out)
        except UserError as error:
            await self.fail(round_, error.reason)
        except WorkerUnavailable:  # the bot stops; after its next start, the chore tries again
            pass
        return None

    async def _wait(self, round_: Round, hindrance: Reason) -> None:
        if self._now() - round_.closes_at > PATIENCE_SECONDS:
            await self.fail(round_, hindrance)

    async def _prepare(
        self, round_: Round, settings: GuildSettings, left_out: _LeftOut
    ) -> _Drawing | None:
        """Choose and judge. None to try again later. Raises UserError if nothing is left."""
        room = await self._prompts.fetch_room(round_.style, round_.guild_id, round_.model)
        if room is None:
            return None
        phrases, why = await self._list_joined(round_), because(Code.ROUND_EMPTY)
        cannot_pay: _LeftOut = {}
        while chosen := room.choose(round_, phrases):
            recipe, cost = self._intake.price(await self._prompts.compose(round_, chosen))
            payers = _list_payers(chosen)
            able = await self._intake.list_able(payers, compose_origin(round_), cost)
            if len(able) < len(payers):
                unable = {each.user_id for each in payers} - {each.user_id for each in able}
                cannot_pay |= {
                    each.user_id: (each, _SPENT) for each in chosen if each.user_id in unable
                }
                phrases = [each for each in phrases if each.user_id not in unable]
                why = because(Code.ROUND_NO_SHARES)
                continue
            kept, verdict = await self._judge(round_, chosen, settings, left_out)
            if verdict.outcome is not Outcome.REFUSE:
                verdict = await self._intake.cover(recipe, verdict)
                return _Drawing(chosen, payers, recipe, cost, verdict, cannot_pay)
            if len(kept) == len(chosen):
                return None  # the rules have just changed; the chore tries again
            phrases = [each for each in phrases if each in kept or each not in chosen]
            why = verdict.reason or because(Code.UNEXPLAINED)
        raise UserError(why)

    async def _list_joined(self, round_: Round) -> list[Phrase]:
        """List the phrases that may be drawn: not deleted, and not from a suspended member."""
        joined = await self._phrases.list_of_round(round_.round_id, PhraseStatus.JOINED)
        suspended = {
            user_id
            for user_id in {each.user_id for each in joined}
            if await self._sanctions.fetch_suspension_of(round_.guild_id, user_id, self._now())
        }
        return [each for each in joined if each.text and each.user_id not in suspended]

    async def _judge(
        self,
        round_: Round,
        chosen: Sequence[Phrase],
        settings: GuildSettings,
        left_out: _LeftOut,
    ) -> tuple[list[Phrase], Verdict]:
        """Judge the whole prompt. If it is refused, leave out the phrases that cause this."""
        verdict = await self._judge_whole(round_, chosen, settings)
        if verdict.outcome is not Outcome.REFUSE:
            return list(chosen), verdict
        bare = await self._judge_whole(round_, (), settings)
        if bare.outcome is Outcome.REFUSE:  # no phrase is to blame
            await self._record(AuditAction.THEME_REFUSED, round_, bare)
            raise UserError(bare.reason or because(Code.UNEXPLAINED))
        kept: list[Phrase] = []
        for phrase in sorted(chosen, key=lambda each: each.phrase_id):
            together = [each for each in chosen if each in kept or each is phrase]
            found = await self._judge_whole(round_, together, settings)
            if found.outcome is Outcome.REFUSE:
                if await self._leave_out(round_, phrase, found):
                    why = found.reason or because(Code.UNEXPLAINED)
                    left_out[phrase.user_id] = phrase, why
            else:
                kept.append(phrase)
        return kept, verdict

    async def _judge_whole(
        self, round_: Round, phrases: Sequence[Phrase], settings: GuildSettings
    ) -> Verdict:
        ask, origin = await self._prompts.compose(round_, phrases), compose_origin(round_)
        verdict = await self._gate.judge(
            origin, ask.prompt, ask.negative_prompt, settings, ask.start, ask.model
        )
        if not settings.review_rounds or not verdict.is_allowed:
            return verdict
        review = _REVIEW if has_review(origin, settings) else _NO_REVIEW
        return replace(review, rules_version=verdict.rules_version)

    async def _leave_out(self, round_: Round, phrase: Phrase, verdict: Verdict) -> bool:
        """Take a phrase out. Return whether it was still there."""
        async with self._phrases.transaction():
            if await self._phrases.mark_refused(phrase.phrase_id) is None:
                return False
            why = because(Code.PHRASE_IN_COMPANY, why=verdict.reason)
            refused = replace(verdict, reason=why)
            await self._record(AuditAction.PHRASE_REFUSED, round_, refused, phrase)
        return True

    async def _record(
        self, action: AuditAction, round_: Round, verdict: Verdict, phrase: Phrase | None = None
    ) -> None:
        """Write an audit row about a phrase, or about the theme."""
        author = round_.starter_id if phrase is None else phrase.user_id
        await self._audit.add(
            AuditEntry(
                action,
                self._now(),
                guild_id=round_.guild_id,
                member_id=author or None,
                rule=verdict.rule,
                rules_version=verdict.rules_version,
                prompt=round_.theme if phrase is None else phrase.text,
                reason=verdict.reason,
                new_value=str(round_.round_id),
            )
        )

    async def _ask(self, round_: Round) -> None:
        asking = await self._rounds.mark_asking(round_.round_id, self._now() + ANSWER_SECONDS)
        if asking is not None:
            self._board.refresh(asking)

    async def _commit(self, round_: Round, drawing: _Drawing) -> Job | None:
        """Save the job and all that belongs to it. None if the round has changed meanwhile."""
        async with self._rounds.transaction():
            present = await self._rounds.fetch(round_.round_id)
            if present is None or present.status is not round_.status:
                return None
            joined = {each.phrase_id for each in await self._list_joined(round_)}
            if not joined.issuperset(each.phrase_id for each in drawing.phrases):
                return None  # a suspension or a deletion took a phrase; the chore tries again
            payers = drawing.payers
            able = await self._intake.list_able(payers, compose_origin(round_), drawing.cost)
            if len(able) < len(payers):
                return None  # an author has used up their quota in the meantime
            job = await self._intake.insert(
                drawing.recipe,
                drawing.cost,
                compose_origin(round_),
                drawing.payers,
                drawing.verdict,
                present.message_id,
            )
            await self._rounds.mark_drawing(round_.round_id, job.job_id, round_.status)
            await self._phrases.mark_used([each.phrase_id for each in drawing.phrases])
            entry = compose_audit_entry(job, drawing.verdict)
            if entry is not None:
                await self._audit.add(replace(entry, new_value=str(round_.round_id)))
        of_job(log, job.job_id).info("is drawn for round %s", round_.round_id)
        return job

    async def fail(self, round_: Round, reason: Reason) -> Round | None:
        """End a round that is not drawn yet. Nothing was charged."""
        log.info("round %s is not drawn: %s", round_.round_id, reason.code)
        failed = await self._rounds.mark_over(
            round_.round_id,
            RoundStatus.FAILED,
            reason=reason,
            now=self._now(),
            leaving=(RoundStatus.OPEN, RoundStatus.ASKING),
        )
        if failed is not None:
            self._board.refresh(failed)
        return failed


def _list_payers(phrases: Sequence[Phrase]) -> list[Payer]:
    """List the authors of phrases without repeats, with the values from their roles."""
    found: dict[int, Phrase] = {}
    for each in phrases:
        found.setdefault(each.user_id, each)
    return [Payer(each.user_id, each.weight, each.max_cost_per_day) for each in found.values()]
