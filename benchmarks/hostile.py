"""Texts that are as costly as possible to judge, each cut to the length of a prompt."""

from __future__ import annotations

_REPEATED = {
    "one letter": "a",
    "combining marks": "a\u0301\u0302\u0303",
    "a ligature of eighteen letters": "\ufdfa",
    "mathematical letters": "\U0001d41e",
    "leetspeak": "4@3$1!0|+",
    "disguised words": "c4rr0t n|_|d3 ",
    "drawn letters": "/\\",
    "single letters": "a ",
    "spelled words": "n u d e ",
    "dotted words": "n.u.d.e ",
    "masks": "a*",
    "masked words": "n*de j*lie ",
    "doubled letters": "nnuuddee ",
    "weights": "(nude:1.2)",
    "HTML entities": "&#110;",
    "upside down": "ɐpnu ",
    "hyphens": "n-",
    "exceptions": "naked truth kid leather ",
    "names after by": "by Emma Xyz, nude and ",
    "listed names": "nude emma smith ",
    "young animals": "nude baby goat girl ",
    "ages": "nude aged 20 old y o ",
}


def list_hostile(num_characters: int) -> dict[str, str]:
    """Return the texts by name."""
    texts = {name: part * num_characters for name, part in _REPEATED.items()}
    third = num_characters // 3
    texts["nested weights"] = "(" * third + "nude" + ":1.2)" * third
    texts["one long weight"] = "(nude:1." + "1" * num_characters
    texts["all words different"] = " ".join(f"a{number}b1" for number in range(num_characters))
    return {name: text[:num_characters] for name, text in texts.items()}
