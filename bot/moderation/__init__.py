"""Judges prompts and pictures. Knows nothing of Discord, SQL or torch."""

from bot.moderation.pictures import PictureCheck
from bot.moderation.prompts import NO_RULES, Explanation, PromptPolicy, judge_by
from bot.moderation.rulebook import RuleBook, RuleMatch

__all__ = [
    "NO_RULES",
    "Explanation",
    "PictureCheck",
    "PromptPolicy",
    "RuleBook",
    "RuleMatch",
    "judge_by",
]
