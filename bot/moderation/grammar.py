"""Recognises harmless uses of words: names of artists, young animals, bare or old things.

Each harmless use allows a text that would otherwise be refused, so only clear cases count.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

from bot.moderation.ages import Age
from bot.moderation.phrases import Hit
from bot.moderation.readings import Reading

_WORD = re.compile(r"[^\W_]+")
# how many characters before a name are searched; this limits the time for a hostile text
CREDIT_CHARS = 80
_CREDIT = re.compile(
    r"(?:([^\W_]+) )?\b(?:by|par|por|after|(?:style|manner) of)\b"
    r"(?: (?:the|great|famous|artist|painter|photographer|director)\b)*[^\w,;.!?]*$"
)
# a label before an artist's name, as in "a study, artist: …"
_LABEL = re.compile(r"[,;.(]\s*(?:artist|painter)\b[^\w,;.!?]*$")
_MAKING = {"carved", "carving", "created", "designed", "directed", "drawing", "engraved",
           "engraving", "etched", "etching", "filmed", "illustrated", "inspired", "painted",
           "painting", "photographed", "sculpted", "sketched"}  # fmt: skip
_BESIDE = {"close", "cosplay", "dance", "driven", "held", "lie", "lies", "look", "looks", "lying",
           "performance", "portrayal", "pose", "poses", "ridden", "seen", "selfie", "selfies",
           "shown", "sit", "sits", "stand", "stands", "striptease", "worn"}  # fmt: skip
_YOUNG = {"babies", "baby", "infant", "juvenile", "juveniles", "kid", "newborn"}
_SO_CALLED = {  # words that mean children, unless one of the few animals named here follows
    "kid": frozenset({"goat", "goats"}),
    "infant": frozenset({"ape", "gorilla", "monkey"}),
}
_ONE_NAME = re.compile(r"[\w\s-]*")
_NAME_ENDS = re.compile(r"[\s-]*[,;.:!?)]")
_AFTER_NAME = {"and", "at", "in", "near", "on", "under"}
_AFTER_THING = _AFTER_NAME | {
    "behind", "beside", "break", "by", "from", "full", "into", "next", "of", "off", "or", "over",
    "poster", "through", "to", "with", "am", "auf", "im", "mit", "neben", "und", "vor",
}  # fmt: skip
_BEFORE_THING = {
    "a", "an", "and", "at", "between", "by", "in", "of", "on", "or", "some", "the", "this", "three",
    "two", "under", "with", "without", "das", "dem", "den", "der", "die", "ein", "eine", "im",
    "mit", "und", "neben",
}  # fmt: skip
_ARTICLES = {"a", "away", "her", "his", "its", "my", "our", "some", "that", "the", "their", "these",
             "this", "two"}  # fmt: skip
_MAX_THING_WORDS = 4  # enough for "old red sports car"
_DRESSED_UP = {"anthro", "bodysuit", "cosplay", "costume", "costumes", "ears", "furry", "human",
               "humanoid", "kigurumi", "mask", "onesie", "outfit", "people", "person",
               "suit"}  # fmt: skip


def ends_in_credit(text: str) -> bool:
    """Return whether an artist's name must come next, as after "painted by". text: lower case."""
    before = f", {text}"[-CREDIT_CHARS:]  # the start of a text counts as a comma
    if _LABEL.search(before):
        return True
    credit = _CREDIT.search(before)
    return credit is not None and not _is_beside(credit[1] or "")


@dataclass(frozen=True, slots=True)
class Things:
    """Words for things. kinds: words that describe things. owners: things that can have an age."""

    nouns: frozenset[str]
    kinds: frozenset[str]
    owners: frozenset[str]


class Sentence:
    """A reading, and the positions of its words in the text."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def credits(self, name: Hit) -> bool:
        """Return whether a name is only the artist's: "a painting by Emma", not "of Emma"."""
        spans = self._spans
        return bool(spans) and ends_in_credit(self.reading.text[: spans[name.start][0]])

    def is_young_animal(self, hit: Hit, animals: Set[str], kinds: Set[str]) -> bool:
        """Return whether words name a young animal: "baby elephant", but not "kid in a costume".

        kinds: words for kinds of animals, such as african.
        """
        words, spans = self.reading.words, self._spans
        if not spans or words[hit.start] not in _YOUNG:
            return False
        head = hit.end
        if head < len(words) and words[head] in kinds:
            head += 1
        if head == len(words) or words[head] not in _SO_CALLED.get(words[hit.start], animals):
            return False
        if not _DRESSED_UP.isdisjoint(self.reading.distinct):
            return False
        text, (starts, ends) = self.reading.text, spans[head]
        is_last = head + 1 == len(words) or words[head + 1] in _AFTER_NAME
        is_one_name = _ONE_NAME.fullmatch(text, spans[hit.start][1], starts)
        return bool(is_one_name and (is_last or _NAME_ENDS.match(text, ends)))

    def is_of_thing(self, hit: Hit, things: Things) -> bool:
        """Return whether a word describes a thing, as in "a topless car"."""
        # Without positions (for words that were spelled apart), nothing can be compared.
        if not self._spans:
            return False
        before = self.reading.words[hit.start - 1] if hit.start else ""
        if before and before not in _BEFORE_THING | things.kinds and self._gap(hit.start) == " ":
            return False
        return self._ends_in_thing(hit.end, things.nouns, things.kinds)

    def is_done_to_thing(self, end: int, things: Things) -> bool:
        """Return whether a thing is stripped: "stripping wallpaper". end: where the verb ends."""
        return self._ends_in_thing(end, things.nouns, things.kinds | _ARTICLES)

    def is_age_of_thing(self, age: Age, things: Things) -> bool:
        """Return whether a thing has this age: "a 12 year old red wine", "whisky aged 12 years"."""
        if not self._spans:
            return False
        words, owners = self.reading.words, things.owners
        before = age.start - 1
        if before > 0 and words[before] in {"a", "de", "of"}:
            before -= 1
        if before >= 0 and words[before] in owners:
            return True
        return self._ends_in_thing(age.end, owners, things.kinds)

    def _ends_in_thing(self, start: int, nouns: Set[str], kinds: Set[str]) -> bool:
        """Return whether the words from ``start`` name a thing: "car", but not "car owner"."""
        words, spans = self.reading.words, self._spans
        if not spans:
            return False
        end = start
        while end < len(words) and end - start < _MAX_THING_WORDS and words[end] in kinds | nouns:
            if end > start and not _ONE_NAME.fullmatch(self._gap(end)):
                break
            end += 1
        if end == start or words[end - 1] not in nouns or not _ONE_NAME.fullmatch(self._gap(start)):
            return False
        is_last = end == len(words) or words[end] in _AFTER_THING
        return is_last or _NAME_ENDS.match(self.reading.text, spans[end - 1][1]) is not None

    def _gap(self, place: int) -> str:
        """Return the text between a word and the word before it."""
        spans = self._spans
        return self.reading.text[spans[place - 1][1] : spans[place][0]] if place and spans else ""

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """Return the places of the words in the text; [] if the words in the text differ."""
        if self.reading.is_spelled:
            return []
        spans = [match.span() for match in _WORD.finditer(self.reading.text)]
        return spans if len(spans) == len(self.reading.words) else []


def _is_beside(word: str) -> bool:
    """Return whether a word puts somebody into the picture: stood by, held by, modelled after."""
    return word in _BESIDE or (word.endswith(("ed", "ing")) and word not in _MAKING)
