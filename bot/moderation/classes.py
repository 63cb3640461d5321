"""The two classes that nobody can switch off: sexual content about minors, and about real people.

A sexual term alone is neither. Together with words for a minor or a real person, in the same text
or in one behind the picture that it starts from, it is refused where both are plain, and held where
one of them may mean something else. A picture that a person sent stands for a real person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from bot.domain.jobs import Ancestry
from bot.domain.rules import Outcome, Verdict
from bot.moderation.ages import AgeFinder
from bot.moderation.grammar import Sentence, Things
from bot.moderation.lexicon import Segmenter, read_languages, read_lexicon, unite
from bot.moderation.names import NameFinder
from bot.moderation.phrases import Hit, PhraseIndex, split_words
from bot.moderation.readings import Form, Reading
from bot.texts.codes import Code
from bot.texts.reasons import because

MINORS = "built-in: sexual content about minors"
REAL_PEOPLE = "built-in: sexual content about real people"
NO_ANCESTRY = Ancestry()
_SENT = because(Code.SENT_PICTURE_UNDRESSED)

_SEXUAL = frozenset({"sexual", "sexual_weak", "undressed", "undressing", "scanty", "garments"})
_AS_WRITTEN = {Form.PLAIN, Form.LOOKALIKES}
_NAME_GAP_WORDS = 1  # a middle initial
_OWN_GAP_WORDS = 2  # "my old maths teacher"
_REMOVAL_GAP_WORDS = 2  # "remove all her clothes"


Categories = list[tuple[Reading, dict[str, list[Hit]]]]
"""For each reading of a text the hits of each category."""


@dataclass(slots=True)
class Signs:
    """What was found in texts; each with the form in which it was first read.

    undressed: sexual with a person, and perhaps with a minor. undressing, grown: only in a negative
    prompt. scanty: only with a picture that a person sent. worn: only with both.
    """

    sexual: dict[bool, Form] = field(default_factory=dict)  # keyed by: is it plain?
    minor: dict[bool, Form] = field(default_factory=dict)
    person: dict[bool, Form] = field(default_factory=dict)
    undressed: dict[bool, Form] = field(default_factory=dict)
    undressing: dict[bool, Form] = field(default_factory=dict)
    grown: dict[bool, Form] = field(default_factory=dict)
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
        lexicon = unite([read_lexicon(), *read_languages().values()])
        terms = [(category, term) for category, each in lexicon.items() for term in each]
        self._category_of = [category for category, _ in terms]
        self._index = PhraseIndex(split_words(term) for _, term in terms)
        sexual = [term for category, term in terms if category in _SEXUAL]
        self._sexual = PhraseIndex(split_words(term) for term in sexual)
        self._segmenter = Segmenter(term for _, term in terms)
        self._ages = AgeFinder(lexicon["numbers"])
        self._names = NameFinder(lexicon)
        self._animals = frozenset(lexicon["animals"])
        self._animal_kinds = frozenset(lexicon["animal_kinds"])
        kinds = frozenset(lexicon["thing_kinds"])
        self._things = Things(
            frozenset(lexicon["things"]), self._animals, kinds, frozenset(lexicon["ripened"])
        )

    @property
    def is_latin(self) -> bool:
        """Whether terms of another script are only looked for as typed."""
        return True

    def may_concern(self, readings: Sequence[Reading]) -> bool:
        """Whether there may be a sexual term; most texts have none, and this is quick to see."""
        return any(hits for _, hits in self._sexual.find(map(self._segmenter.segment, readings)))

    def find(self, readings: Sequence[Reading]) -> Categories:
        """The terms of each category, reading by reading."""
        found: Categories = []
        for reading, hits in self._index.find(map(self._segmenter.segment, readings)):
            by_category: dict[str, list[Hit]] = defaultdict(list)
            for hit in hits:
                by_category[self._category_of[hit.phrase]].append(hit)
            found.append((reading, by_category))
        return found

    def collect(self, text: str, found: Categories) -> Signs:
        """text: as typed."""
        signs = Signs()
        for reading, hits in found:
            sentence = Sentence(reading)
            self._collect_sexual(signs, sentence, hits)
            self._collect_undressed(signs, sentence, hits)
            self._collect_minors(signs, sentence, hits)
            self._collect_people(signs, sentence, hits)
            for category, kind in (
                ("undressing", signs.undressing),
                ("garments", signs.worn),
                ("grown", signs.grown),
            ):
                for hit in hits.get(category, ()):
                    kind.setdefault(False, hit.form)
        is_certain = self._names.find(text)
        if is_certain is not None:
            signs.person.setdefault(is_certain, Form.PLAIN)
        return signs

    def judge(
        self, signs: Signs, *, negative: Signs | None = None, behind: Ancestry = NO_ANCESTRY
    ) -> Verdict | None:
        """negative: of the negative prompt, which can undress as well as a prompt can.

        behind: what drawing starts from. Unknown words may have been sexual, and what they were
        drawn from may have been sent.
        """
        sexual = (negative.undressing if negative else {}) | signs.sexual
        minor = dict(signs.minor)
        if negative and negative.grown and True in sexual:  # who is drawn then is no adult
            minor[False in minor] = next(iter(negative.grown.values()))
        exposed = [*sexual.values(), *signs.scanty.values()]
        exposed += negative.worn.values() if negative else ()
        if behind.is_unknown:
            sexual.setdefault(False, Form.PLAIN)
        undressed = dict.fromkeys((True,), *signs.undressed.values()) if signs.undressed else {}
        verdicts = [
            _weigh(signs.undressed | sexual, minor, MINORS, both_unsure=Outcome.ALLOW),
            _weigh(sexual | undressed, signs.person, REAL_PEOPLE, both_unsure=Outcome.HOLD),
        ]
        if exposed and (behind.is_sent or behind.is_unknown):
            verdicts.append(Verdict(Outcome.REFUSE, _SENT, REAL_PEOPLE, exposed[0]))
        refusals = [verdict for verdict in verdicts if verdict.outcome is Outcome.REFUSE]
        held = [verdict for verdict in verdicts if verdict.outcome is Outcome.HOLD]
        return next(iter(refusals + held), None)

    def _collect_sexual(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        bare = {hit.start for hit in hits.get("bare", ())}
        for category, is_plain in (("sexual", True), ("sexual_weak", False)):
            for hit in _list_uncovered(hits, category, "not_sexual"):
                is_of_thing = hit.start in bare and sentence.is_of_thing(hit, self._things)
                if not is_of_thing and not self._is_done_to_thing(sentence, hit, hits):
                    signs.sexual.setdefault(is_plain, hit.form)

    def _collect_undressed(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        taken_off = _list_pairs(hits, "taking_off", "undressing", _REMOVAL_GAP_WORDS)
        for hit in (*hits.get("undressed", ()), *taken_off):
            if not self._is_done_to_thing(sentence, hit, hits):
                signs.undressed.setdefault(False, hit.form)
        removed = (
            *_list_pairs(hits, "removal", "undressing", _REMOVAL_GAP_WORDS),
            *_list_pairs(hits, "removal", "garments"),
            *_list_pairs(hits, "garments", "gone", 0),
        )
        for hit in (*hits.get("scanty", ()), *removed):
            signs.scanty.setdefault(False, hit.form)

    def _is_done_to_thing(
        self, sentence: Sentence, hit: Hit, hits: Mapping[str, list[Hit]]
    ) -> bool:
        return any(
            each.start == hit.start for each in hits.get("bare_of", ())
        ) and sentence.is_done_to_thing(hit.end, self._things)

    def _collect_minors(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        for category, is_plain in (("minor", True), ("minor_unsure", False)):
            for hit in _list_uncovered(hits, category, "not_minor"):
                if not sentence.is_young_animal(hit, self._animals, self._animal_kinds):
                    signs.minor.setdefault(is_plain, hit.form)
        reading = sentence.reading
        if reading.is_spelled or reading.form not in _AS_WRITTEN:
            return
        ages = list(self._ages.find(reading.words))
        of_things = [age for age in ages if sentence.is_age_of_thing(*age.span, self._things)]
        for age in ages:
            if not any(age.lies_within(other) for other in of_things):
                signs.minor.setdefault(age.is_plain, reading.form)
        if of_things and hits.get("people"):
            signs.minor.setdefault(False, reading.form)

    def _collect_people(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        certain = [
            *hits.get("deepfake", ()),
            *_list_pairs(hits, "own", "acquaintances", _OWN_GAP_WORDS),
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
