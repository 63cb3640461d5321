"""Recognises the licences of models by their names, and says in a sentence what they allow."""

from __future__ import annotations

import re
from enum import StrEnum

from bot.texts import licences as texts


class Terms(StrEnum):
    """What the licence of a model allows."""

    PERMISSIVE = "permissive"
    LISTED_USES = "listed uses"  # all uses except those that it lists, as in OpenRAIL
    NON_COMMERCIAL = "non-commercial"
    REVENUE_LIMIT = "revenue limit"
    TERRITORY = "territory"  # not valid in some countries
    OTHER = "other"
    UNKNOWN = "unknown"


_TERMS: tuple[tuple[str, Terms], ...] = (
    (r"tencent|hunyuan", Terms.TERRITORY),
    (
        r"\b(non?|not for) ?commercial|commercial use (is )?(not|forbidden|prohibited)|\bnc\b|"
        r"\bresearch\b|\bflux \d dev\b|\bnscl|nvidia source code",
        Terms.NON_COMMERCIAL,
    ),
    (r"krea|stability ?ai|\bstability\b", Terms.REVENUE_LIMIT),
    (r"open ?rail|\brail\b", Terms.LISTED_USES),
    (
        r"\b(apache|mit|bsd|isc|zlib|unlicense|cc0|cc zero|public domain)\b|\bcc by (?!nc)",
        Terms.PERMISSIVE,
    ),
)
"""The first of these that is found in a licence's name counts, so the strict ones come first.

Sources: the licence texts of Tencent Hunyuan (territory), FLUX.1 [dev] and CC BY-NC
(non-commercial), Stability AI Community and Krea 2 (revenue), and CreativeML OpenRAIL-M.
"""
_SENTENCES = {
    Terms.PERMISSIVE: texts.ALLOWS_ALL,
    Terms.LISTED_USES: texts.LISTS_USES,
    Terms.NON_COMMERCIAL: texts.NOT_COMMERCIAL,
    Terms.REVENUE_LIMIT: texts.LIMITS_REVENUE,
    Terms.TERRITORY: texts.NOT_EVERYWHERE,
    Terms.OTHER: texts.OWN_TERMS,
}


def find_terms(licence: str) -> Terms:
    """Recognise a licence by its name or its id on the Hugging Face Hub.

    A licence that is not recognised is OTHER. "" is UNKNOWN.
    """
    words = _split(licence)
    if not words.strip():
        return Terms.UNKNOWN
    return next((terms for pattern, terms in _TERMS if re.search(pattern, words)), Terms.OTHER)


def demands_filter(licence: str) -> bool:
    """Return whether a licence demands a content filter."""
    return "krea" in _split(licence)


def describe_licence(licence: str, shown: str = "") -> str:
    """Say in the reader's language what a licence allows.

    licence: its whole name; "" if it is not known. shown: what to show of this name; "" for all.
    """
    terms = find_terms(licence)
    if terms is Terms.UNKNOWN:
        return texts.UNKNOWN()
    sentence = _SENTENCES[terms](licence=shown or licence)
    return f"{sentence} {texts.ASKS_FOR_FILTER()}" if demands_filter(licence) else sentence


def _split(licence: str) -> str:
    """Put a space between all words and numbers, as in "cc by nc 4 0"."""
    return re.sub(r"[\W_]+", " ", licence.casefold()) + " "
