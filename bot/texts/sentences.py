"""The sentence for each reason."""

from bot.texts.catalog import Text
from bot.texts.codes import Code
from bot.texts.outcomes import OUTCOMES
from bot.texts.refusals import REFUSALS
from bot.texts.round_reasons import ROUNDS

SENTENCES: dict[Code, Text] = REFUSALS | OUTCOMES | ROUNDS
