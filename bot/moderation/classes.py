"""The two classes that nobody can switch off: sexual content about minors, and about real people.

A sexual term alone is neither. Together with words for a minor or a real person, in the same text
or in one behind the picture that it starts from, it is refused where both are plain, and held where
one of them may mean something else. A picture that a person sent stands for a real person.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from bot.domain.jobs import Ancestry
from bot.domain.rules import Outcome, Verdict
from bot.moderation.grammar import Sentence, ends_in_credit
from bot.moderation.phrases import Hit, PhraseIndex, split_words
from bot.moderation.readings import Form, Reading
from bot.texts.codes import Code
from bot.texts.reasons import because

MINORS = "built-in: sexual content about minors"
REAL_PEOPLE = "built-in: sexual content about real people"
NO_ANCESTRY = Ancestry()
_SENT = because(Code.SENT_PICTURE_UNDRESSED)

_AGE = re.compile(
    r"\b(\d{1,2}|[a-z]{3,9})[\s-]?(?:years?|yrs?|y)[\s./-]?(?:olds?|o)\b"
    r"|\bage[d]?\s(?:of\s)?(\d{1,2}|[a-z]{3,9})\b"
)
_AGE_SIGNS = (  # parts of it that are quick to look for
    re.compile(r"y(?:ears?|rs?)?[\s./-]?o(?:lds?)?\b"),
    re.compile(r"age(?<!\wage)d?\s"),
)
_ADULT_AGE = 18
_FULL_NAME = re.compile(r"([A-Z](?<!\w.)[a-z]+) (?:[A-Z]\. )?([A-Z][a-z]+)\b")
_NOT_SURNAMES = {"And", "At", "By", "Dressed", "For", "From", "In", "Is", "Of", "On", "Or", "The",
                 "To", "Wearing", "With"}  # fmt: skip
_SEXUAL = frozenset({"sexual", "sexual_weak", "undressing", "scanty", "garments"})
_NAME_GAP_WORDS = 1  # a middle initial, or an adjective in "my old teacher"
_REMOVAL_GAP_WORDS = 2  # "remove all her clothes"


Categories = list[tuple[Reading, dict[str, list[Hit]]]]
"""For each reading of a text the hits of each category."""


def read_lexicon() -> Mapping[str, Sequence[str]]:
    """Categories of terms, each in small letters, from the packaged file."""
    return json.loads(Path(__file__).with_name("lexicon.json").read_text("utf-8"))


@dataclass(slots=True)
class Signs:
    """What was found in texts; each with the form in which it was first read.

    undressing: only in a negative prompt. scanty: only with a picture that a person sent.
    worn: only with both.
    """

    sexual: dict[bool, Form] = field(default_factory=dict)  # keyed by: is it plain?
    minor: dict[bool, Form] = field(default_factory=dict)
    person: dict[bool, Form] = field(default_factory=dict)
    undressing: dict[bool, Form] = field(default_factory=dict)
    scanty: dict[bool, Form] = field(default_factory=dict)
    worn: dict[bool, Form] = field(default_factory=dict)

    @classmethod
    def unite(cls, each: Iterable[Signs]) -> Signs:
        """Of several texts as if they were one."""
        united = cls()
        for signs in each:
            for kind in fields(cls):
                found, added = getattr(united, kind.name), getattr(signs, kind.name)
                for is_plain, form in added.items():
                    found.setdefault(is_plain, form)
        return united


class BuiltInClasses:
    """Collects the signs of a text, reading by reading, and judges them."""

    def __init__(self) -> None:
        lexicon = read_lexicon()
        terms = [(category, term) for category, each in lexicon.items() for term in each]
        self._category_of = [category for category, _ in terms]
        self._index = PhraseIndex(split_words(term) for _, term in terms)
        sexual = [term for category, term in terms if category in _SEXUAL]
        self._sexual = PhraseIndex(split_words(term) for term in sexual)
        self._animals = frozenset(lexicon["animals"])
        self._animal_kinds = frozenset(lexicon["animal_kinds"])
        self._numbers = frozenset(lexicon["numbers"])
        self._given_names = frozenset(lexicon["given_names"])

    @property
    def is_latin(self) -> bool:
        """Whether no term has letters of another script."""
        return self._index.is_latin

    def may_concern(self, readings: Sequence[Reading]) -> bool:
        """Whether there may be a sexual term; most texts have none, and this is quick to see."""
        return any(hits for _, hits in self._sexual.find(readings))

    def find(self, readings: Sequence[Reading]) -> Categories:
        """The terms of each category, reading by reading."""
        found: Categories = []
        for reading, hits in self._index.find(readings):
            by_category: dict[str, list[Hit]] = defaultdict(list)
            for hit in hits:
                by_category[self._category_of[hit.phrase]].append(hit)
            found.append((reading, by_category))
        return found

    def collect(self, text: str, found: Categories) -> Signs:
        """text: as typed."""
        signs = Signs()
        for reading, hits in found:
            self._collect_sexual(signs, hits)
            sentence = Sentence(reading)
            self._collect_minors(signs, sentence, hits)
            self._collect_people(signs, sentence, hits)
            for hit in hits.get("undressing", ()):
                signs.undressing.setdefault(False, hit.form)
            for hit in hits.get("garments", ()):
                signs.worn.setdefault(False, hit.form)
            removed = (
                *_list_pairs(hits, "removal", "undressing", _REMOVAL_GAP_WORDS),
                *_list_pairs(hits, "removal", "garments"),
                *_list_pairs(hits, "garments", "gone", 0),
            )
            for hit in (*hits.get("scanty", ()), *removed):
                signs.scanty.setdefault(False, hit.form)
        if self._has_unlisted_name(text):
            signs.person.setdefault(False, Form.PLAIN)
        return signs

    def judge(
        self, signs: Signs, *, negative: Signs | None = None, behind: Ancestry = NO_ANCESTRY
    ) -> Verdict | None:
        """negative: of the negative prompt, which can undress as well as a prompt can.

        behind: what drawing starts from. Unknown words may have been sexual, and what they were
        drawn from may have been sent.
        """
        sexual = (negative.undressing if negative else {}) | signs.sexual
        exposed = [*sexual.values(), *signs.scanty.values()]
        exposed += negative.worn.values() if negative else ()
        if behind.is_unknown:
            sexual.setdefault(False, Form.PLAIN)
        verdicts = [
            _weigh(sexual, signs.minor, MINORS, both_unsure=Outcome.ALLOW),
            _weigh(sexual, signs.person, REAL_PEOPLE, both_unsure=Outcome.HOLD),
        ]
        if exposed and (behind.is_sent or behind.is_unknown):
            verdicts.append(Verdict(Outcome.REFUSE, _SENT, REAL_PEOPLE, exposed[0]))
        refusals = [verdict for verdict in verdicts if verdict.outcome is Outcome.REFUSE]
        held = [verdict for verdict in verdicts if verdict.outcome is Outcome.HOLD]
        return next(iter(refusals + held), None)

    def _collect_sexual(self, signs: Signs, hits: Mapping[str, list[Hit]]) -> None:
        for category, is_plain in (("sexual", True), ("sexual_weak", False)):
            for hit in _list_uncovered(hits, category, "not_sexual"):
                signs.sexual.setdefault(is_plain, hit.form)

    def _collect_minors(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        for category, is_plain in (("minor", True), ("minor_unsure", False)):
            for hit in _list_uncovered(hits, category, "not_minor"):
                if not sentence.is_young_animal(hit, self._animals, self._animal_kinds):
                    signs.minor.setdefault(is_plain, hit.form)
        reading = sentence.reading
        if reading.form in {Form.PLAIN, Form.LOOKALIKES} and self._has_minor_age(reading.text):
            signs.minor.setdefault(True, reading.form)

    def _collect_people(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        certain = [
            *hits.get("deepfake", ()),
            *_list_pairs(hits, "own", "acquaintances"),
            *(
                name
                for name in _list_pairs(hits, "given_names", "surnames")
                if not sentence.credits(name)
            ),
        ]
        for hit in certain:
            signs.person.setdefault(True, hit.form)
        for hit in hits.get("public_roles", ()):
            if not sentence.credits(hit):
                signs.person.setdefault(False, hit.form)

    def _has_minor_age(self, text: str) -> bool:
        if not any(sign.search(text) for sign in _AGE_SIGNS):
            return False
        for match in _AGE.finditer(text):
            age = match[1] or match[2]
            if age in self._numbers or (age.isdecimal() and int(age) < _ADULT_AGE):
                return True
        return False

    def _has_unlisted_name(self, text: str) -> bool:
        """A listed given name before another word with a capital, unless all words have one."""
        is_named = any(
            match[1].lower() in self._given_names
            and match[2] not in _NOT_SURNAMES
            and not ends_in_credit(text[: match.start()].lower())
            for match in _FULL_NAME.finditer(text)
        )
        words = text.split()
        return is_named and sum(word[:1].isupper() for word in words) <= len(words) * 0.6


def _weigh(
    sexual: Mapping[bool, Form], about: Mapping[bool, Form], rule: str, *, both_unsure: Outcome
) -> Verdict:
    if not sexual or not about:
        return Verdict(Outcome.ALLOW)
    plain = (True in sexual) + (True in about)
    outcome = (both_unsure, Outcome.HOLD, Outcome.REFUSE)[plain]
    forms = [found.get(True) or found[False] for found in (sexual, about)]
    form = next((form for form in forms if form is not Form.PLAIN), Form.PLAIN)
    return Verdict(outcome, None, rule, form)


def _list_uncovered(hits: Mapping[str, list[Hit]], category: str, exceptions: str) -> Iterator[Hit]:
    covers = hits.get(exceptions, ())
    for hit in hits.get(category, ()):
        if not any(hit.lies_within(cover) for cover in covers):
            yield hit


def _list_pairs(
    hits: Mapping[str, list[Hit]], first: str, second: str, gap_words: int = _NAME_GAP_WORDS
) -> Iterator[Hit]:
    """Hits of one category followed by one of another."""
    seconds = {hit.start: hit for hit in hits.get(second, ())}
    for hit in hits.get(first, ()):
        for gap in range(gap_words + 1):
            follower = seconds.get(hit.end + gap)
            if follower is not None:
                yield Hit(hit.phrase, hit.form, hit.start, follower.end)
                break


@cache
def load_classes() -> BuiltInClasses:
    """Those of the lexicon that Triptych brings; they keep nothing of what they read."""
    return BuiltInClasses()
