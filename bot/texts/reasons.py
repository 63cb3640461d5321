"""Reasons for a refusal, an end or a decision. Data is saved; the sentence is made when shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.texts.catalog import Text
from bot.texts.codes import Code
from bot.texts.recipes import name_parameter
from bot.texts.sentences import SENTENCES

_NOT_KNOWN = Text("A newer version of Triptych saved the reason, and this version cannot show it.")
_NOT_SAID = Text("No reason was stored.")


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the values for its sentence: texts, numbers, lists of texts, other reasons.

    code: a plain string if only a newer version of Triptych knows the code. Raises ValueError if
    the sentence of a known code needs other fields.
    """

    code: Code | str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        listed = {k: [*v] if isinstance(v, tuple) else v for k, v in self.params.items()}
        # tuples become lists, because JSON has no tuples
        object.__setattr__(self, "params", listed)
        if isinstance(self.code, Code) and listed.keys() != find_fields(self.code):
            named = sorted(find_fields(self.code))
            raise ValueError(f"{self.code} names {named}, not {sorted(listed)}")


def because(code: Code, **params: Any) -> Reason:
    """Make a reason from a code and the values for its sentence."""
    return Reason(code, params)


def own_words(text: str) -> Reason:
    """Make a reason from a person's own words."""
    return Reason(Code.OWN_WORDS, {"text": text})


def recall(code: str, params: Mapping[str, Any]) -> Reason:
    """Load a saved reason. If only a newer version knows it, keep it without a sentence."""
    try:
        known = {k: recall(**v) if isinstance(v, Mapping) else v for k, v in params.items()}
        reason = Reason(Code(code), known)
        _say(reason)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return Reason(code, params)
    return reason


def say(reason: Reason | None) -> str:
    """Return the sentence in the reader's language."""
    if reason is None:
        return _NOT_SAID()
    return _say(reason) if isinstance(reason.code, Code) else _NOT_KNOWN()


def describe(reason: Reason | None) -> dict[str, Any] | None:
    """Return the code, the values and the sentence, for an exported file."""
    if reason is None:
        return None
    params = {k: describe(v) if isinstance(v, Reason) else v for k, v in reason.params.items()}
    return {"code": str(reason.code), "params": params, "sentence": say(reason)}


def find_fields(code: Code) -> frozenset[str]:
    """Return the names of the fields in a code's sentence."""
    return SENTENCES[code].fields


def _say(reason: Reason) -> str:
    said = {k: _say_value(k, v) for k, v in reason.params.items()}
    return SENTENCES[Code(reason.code)](**said)


def _say_value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, Reason):
        return say(value)
    if name == "parameter":
        return name_parameter(value)
    return ", ".join(value) if isinstance(value, list) else value
