"""The two classes that nobody can switch off: sexual content about minors, and about real people.

A sexual term alone belongs to neither class. A sexual term together with words for a minor or a
real person does, also if one of them is in an earlier prompt that led to the start picture. The
prompt is refused if both terms are clear, and held if one of them may mean something else. A
picture that a person sent counts as a real person, and so does every picture of a model that was
trained on one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import chain
from types import MappingProxyType

from bot.domain.jobs import Ancestry
from bot.domain.rules import MINORS, Outcome, Verdict
from bot.moderation.ages import AgeFinder
from bot.moderation.grammar import Sentence, Things
from bot.moderation.lexicon import Segmenter, read_languages, read_lexicon, unite
from bot.moderation.names import NameFinder
from bot.moderation.phrases import Hit, PhraseIndex, list_uncovered, split_words
from bot.moderation.readings import Form, Reading
from bot.texts.codes import Code
from bot.texts.reasons import because

REAL_PEOPLE = "built-in: sexual content about real people"
NO_ANCESTRY = Ancestry()
NO_FORMS: Mapping[bool, Form] = MappingProxyType({})
_SENT = because(Code.SENT_PICTURE_UNDRESSED)
_TRAINED = because(Code.PERSON_MODEL_UNDRESSED)

_SEXUAL = frozenset({"sexual", "sexual_weak", "undressed", "undressing", "scanty", "garments"})
# for instructions that change a picture of a real person
_INSTRUCTED = ("sexual", "sexual_weak", "undressed", "scanty", "edit_exposing")
_TAKING = ("removal", "edit_taking")
_CLOTHES = ("garments", "undressing", "edit_clothes")
_AS_WRITTEN = {Form.PLAIN, Form.LOOKALIKES}
_NAME_GAP_WORDS = 1  # words between a given name and a surname; one allows a middle initial
_OWN_GAP_WORDS = 2  # words between "my" and a role, as in "my old maths teacher"
_REMOVAL_GAP_WORDS = 2  # words between a verb and clothes, as in "remove all her clothes"


Categories = list[tuple[Reading, dict[str, list[Hit]]]]
"""For each reading of a text, the hits in each category."""


@dataclass(slots=True)
class Signs:
    """Signs found in texts, each with the form in which it was first read.

    undressed: counts as sexual with a real person, and perhaps with a minor. undressing (words such
    as "clothed") and grown (words for adults): count only in a negative prompt. scanty (revealing
    clothes): counts only with a picture that a person sent. worn (clothes such as a dress): counts
    only in a negative prompt with such a picture. instructed: counts only if a picture is edited
    that may show a real person; it also has sexual words about things, such as "nude tree", and
    clothes anywhere in a text that has a word for taking away. In each field, the key True has
    clear terms, and the key False has terms that may mean something else.
    """

    sexual: dict[bool, Form] = field(default_factory=dict)  # the keys say whether a term is clear
    minor: dict[bool, Form] = field(default_factory=dict)
    person: dict[bool, Form] = field(default_factory=dict)
    undressed: dict[bool, Form] = field(default_factory=dict)
    undressing: dict[bool, Form] = field(default_factory=dict)
    grown: dict[bool, Form] = field(default_factory=dict)
    scanty: dict[bool, Form] = field(default_factory=dict)
    worn: dict[bool, Form] = field(default_factory=dict)
    instructed: dict[bool, Form] = field(default_factory=dict)

    @classmethod
    def unite(cls, each: Iterable[Signs]) -> Signs:
        """Join the signs of several texts into one."""
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
        self._sexual = PhraseIndex(map(split_words, sexual), whole=self._index)
        self._segmenter = Segmenter(term for _, term in terms)
        self._ages = AgeFinder(lexicon["numbers"])
        self._names = NameFinder(lexicon)
        self._animals = frozenset(lexicon["animals"])
        self._animal_kinds = frozenset(lexicon["animal_kinds"])
        nouns, kinds = frozenset(lexicon["things"]), frozenset(lexicon["thing_kinds"])
        self._things = Things(nouns, kinds, nouns.union(self._animals, lexicon["ripened"]))

    @property
    def is_latin(self) -> bool:
        """Return True, because terms in other scripts are searched only in the text as typed."""
        return True

    def may_concern(self, readings: Sequence[Reading]) -> bool:
        """Return whether the text may contain a sexual term. This check is quick."""
        return any(hits for _, hits in self._sexual.find(map(self._segmenter.segment, readings)))

    def find(self, readings: Sequence[Reading]) -> Categories:
        """Find the terms of each category, reading by reading."""
        found: Categories = []
        for reading, hits in self._index.find(map(self._segmenter.segment, readings)):
            by_category: dict[str, list[Hit]] = defaultdict(list)
            for hit in hits:
                by_category[self._category_of[hit.phrase]].append(hit)
            found.append((reading, by_category))
        return found

    def collect(self, text: str, found: Categories) -> Signs:
        """Collect the signs of a text. text: as typed. found: from ``find``."""
        signs = Signs()
        for reading, hits in found:
            sentence = Sentence(reading)
            self._collect_sexual(signs, sentence, hits)
            self._collect_scanty(signs, hits)
            self._collect_minors(signs, sentence, hits)
            self._collect_people(signs, sentence, hits)
            _note(signs.undressing, False, hits.get("undressing", ()))
            _note(signs.worn, False, hits.get("garments", ()))
            _note(signs.grown, False, hits.get("grown", ()))
            _note(signs.instructed, False, _list_instructed(hits))
        if True not in signs.person and (is_certain := self._names.find(text)) is not None:
            signs.person.setdefault(is_certain, Form.PLAIN)
        return signs

    def judge(
        self,
        signs: Signs,
        *,
        negative: Signs | None = None,
        behind: Ancestry = NO_ANCESTRY,
        edits: Mapping[bool, Form] = NO_FORMS,
    ) -> Verdict | None:
        """Judge the signs of a prompt.

        negative: the signs of the negative prompt. For example, clothes in it mean no clothes.

        behind: the history of the start picture. If its words are unknown, they may have been
        sexual, and a person may have sent the first picture.

        edits: the field ``instructed`` of the instructions among the texts. They may undress
        somebody whom an earlier prompt describes.
        """
        sexual = (negative.undressing if negative else {}) | signs.sexual
        minor = dict(signs.minor)
        # A negative prompt with words for adults asks for minors.
        if negative and negative.grown and True in sexual:
            minor[False in minor] = next(iter(negative.grown.values()))
        exposed = [*sexual.values(), *signs.scanty.values()]
        exposed += negative.worn.values() if negative else ()
        if behind.is_edited:
            exposed += signs.instructed.values()
        if behind.is_unknown:
            sexual.setdefault(False, Form.PLAIN)
        unclothed = {**edits, **signs.undressed}
        undressed = dict.fromkeys((True,), *unclothed.values()) if unclothed else {}
        both_unsure = Outcome.HOLD if edits else Outcome.ALLOW
        verdicts = [
            _weigh(unclothed | sexual, minor, MINORS, both_unsure=both_unsure),
            _weigh(sexual | undressed, signs.person, REAL_PEOPLE, both_unsure=Outcome.HOLD),
        ]
        if exposed and (behind.is_sent or behind.is_unknown):
            verdicts.append(Verdict(Outcome.REFUSE, _SENT, REAL_PEOPLE, exposed[0]))
        elif exposed and behind.depicts_person:
            verdicts.append(Verdict(Outcome.REFUSE, _TRAINED, REAL_PEOPLE, exposed[0]))
        refusals = [verdict for verdict in verdicts if verdict.outcome is Outcome.REFUSE]
        held = [verdict for verdict in verdicts if verdict.outcome is Outcome.HOLD]
        return next(iter(refusals + held), None)

    def _collect_sexual(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        bare = {hit.start for hit in hits.get("bare", ())}
        stripped = {hit.start for hit in hits.get("bare_of", ())}

        def is_of_thing(hit: Hit) -> bool:
            return (hit.start in bare and sentence.is_of_thing(hit, self._things)) or (
                hit.start in stripped and sentence.is_done_to_thing(hit.end, self._things)
            )

        for category, is_plain in (("sexual", True), ("sexual_weak", False)):
            each = list_uncovered(hits.get(category, ()), hits.get("not_sexual", ()))
            _note(signs.sexual, is_plain, (hit for hit in each if not is_of_thing(hit)))
        undressed = (
            *hits.get("undressed", ()),
            *_list_pairs(hits, "taking_off", "undressing", _REMOVAL_GAP_WORDS),
        )
        _note(signs.undressed, False, (hit for hit in undressed if not is_of_thing(hit)))

    def _collect_scanty(self, signs: Signs, hits: Mapping[str, list[Hit]]) -> None:
        removed = (
            *_list_pairs(hits, "removal", "undressing", _REMOVAL_GAP_WORDS),
            *_list_pairs(hits, "removal", "garments"),
            *_list_pairs(hits, "garments", "gone", 0),
        )
        _note(signs.scanty, False, (*hits.get("scanty", ()), *removed))

    def _collect_minors(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        def is_young_animal(hit: Hit) -> bool:
            return sentence.is_young_animal(hit, self._animals, self._animal_kinds)

        for category, is_plain in (("minor", True), ("minor_unsure", False)):
            each = list_uncovered(hits.get(category, ()), hits.get("not_minor", ()))
            _note(signs.minor, is_plain, (hit for hit in each if not is_young_animal(hit)))
        reading = sentence.reading
        if reading.is_spelled or reading.form not in _AS_WRITTEN:
            return
        ages = list(self._ages.find(reading.words))
        of_things = [age for age in ages if sentence.is_age_of_thing(age, self._things)]
        excused = {place for age in of_things for place in range(age.start, age.end)}
        for age in ages:
            if not excused.issuperset(range(age.start, age.end)):
                signs.minor.setdefault(age.is_plain, reading.form)
        if of_things and hits.get("people"):
            signs.minor.setdefault(False, reading.form)

    def _collect_people(
        self, signs: Signs, sentence: Sentence, hits: Mapping[str, list[Hit]]
    ) -> None:
        names = _list_pairs(hits, "given_names", "surnames")
        certain = chain(
            hits.get("deepfake", ()),
            _list_pairs(hits, "own", "acquaintances", _OWN_GAP_WORDS),
            (name for name in names if not sentence.credits(name)),
        )
        _note(signs.person, True, certain)
        roles = hits.get("public_roles", ())
        _note(signs.person, False, (hit for hit in roles if not sentence.credits(hit)))


def _note(forms: dict[bool, Form], is_plain: bool, hits: Iterable[Hit]) -> None:
    """Note the form of the first hit, unless a form is known already."""
    if is_plain not in forms and (first := next(iter(hits), None)) is not None:
        forms[is_plain] = first.form


@cache
def load_classes() -> BuiltInClasses:
    """Return the built-in classes. They are built only once, because building them is slow."""
    return BuiltInClasses()


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


def _list_instructed(hits: Mapping[str, list[Hit]]) -> Iterator[Hit]:
    """List all hits that may ask to undress the person in a picture."""
    for category in _INSTRUCTED:
        yield from hits.get(category, ())
    if any(map(hits.get, _TAKING)):
        for category in _CLOTHES:
            yield from hits.get(category, ())


def _list_pairs(
    hits: Mapping[str, list[Hit]], first: str, second: str, gap_words: int = _NAME_GAP_WORDS
) -> Iterator[Hit]:
    """List the hits of category ``first`` that a hit of category ``second`` follows."""
    seconds = {hit.start: hit for hit in hits.get(second, ())}
    for hit in hits.get(first, ()):
        for gap in range(gap_words + 1):
            follower = seconds.get(hit.end + gap)
            if follower is not None:
                yield Hit(hit.phrase, hit.form, hit.start, follower.end)
                break
