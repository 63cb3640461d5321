"""Ways to disguise a blocked word. Each is a function of the word."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

Evasion = Callable[[str], str]

_CYRILLIC = str.maketrans("aceopxyikmthbsj", "асеорхуікмтнЬѕј")
_GREEK = str.maketrans("aeioupkvxytnb", "αειουρκνχγτηβ")
_ARMENIAN = str.maketrans("ohnug", "\u0585\u0570\u0578\u057d\u0581")
_SMALL_CAPITALS = str.maketrans("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")
_UPSIDE_DOWN = str.maketrans(
    "abcdefghijklmnopqrstuvwxyz",
    "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz",  # noqa: RUF001
)
_LEET_DIGITS = str.maketrans("oizeasgtb", "012345678")
_LEET_ONE_L = str.maketrans("le", "13")
_LEET_SYMBOLS = str.maketrans("asilt", "@$!|+")
_CURRENCY = str.maketrans("eyc", "€¥¢")
_STROKES = str.maketrans("aobdlhtic", "ⱥøƀđłħŧɨȼ")
_COPTIC = str.maketrans("abdehiklmnoprtux", "ⲁⲃⲇⲉⲏⲓⲕⲗⲙⲛⲟⲡⲅⲧⲩⲭ")
_CANADIAN = str.maketrans(
    "abcdefghijklmnopqrstuvwxyz",
    "\u15e9\u15f7\u1455\u15ea\u15f4\u15b4\u161c\u157c\u14f0\u148d\u16d5\u14aa\u15f0\u144e\u15dd"
    "\u146d\u146b\u1587\u1515\u15b6\u144c\u142f\u15ef\u166d\u15bb\u1614",
)
_CHEROKEE = str.maketrans("abcdefghiklmnoprstuvwz", "ᎪᏴᏟᎠᎬᎦᎶᎻᎥᏦᏞᎷᏁᎾᏢᏒᏕᎢᏬᏙᏔᏃ")
_STROKED = str.maketrans(
    "abcdefghijklmnoprstuvwxyz", "卂乃匚刀乇千ム卄丨フ长乚爪几口卩尺丂丅ㄩレ山乂丫乙"
)
_BRACKETED = {"d": "[)", "u": "(_)", "o": "°", "m": "^^"}
_DRAWN = {"u": "|_|", "k": "|<", "h": "|-|", "v": "\\/", "o": "()", "n": "|\\|", "m": "|\\/|"}


def _mathematical(start: int, word: str) -> str:
    return "".join(chr(start + ord(letter) - ord("a")) for letter in word)


def _each(mark: str) -> Evasion:
    return lambda word: "".join(letter + mark for letter in word)


def _between(separator: str) -> Evasion:
    return separator.join


def _double(word: str) -> str:
    return "".join(letter * 2 for letter in word)


def _first_vowel(word: str, replace: Callable[[str], str]) -> str:
    place = next(number for number, letter in enumerate(word) if letter in "aeiou" and number)
    return word[:place] + replace(word[place]) + word[place + 1 :]


def _accent(word: str) -> str:
    return unicodedata.normalize("NFC", "".join(letter + "\u0301" for letter in word))


def _tower(word: str) -> str:
    marks = random.Random(word)
    return "".join(
        letter + "".join(chr(marks.randint(0x300, 0x36E)) for _ in range(6)) for letter in word
    )


def _drawn(word: str) -> str:
    return "".join(_DRAWN.get(letter, letter) for letter in word)


def _bracket(word: str) -> str:
    return "".join(_BRACKETED.get(letter, letter) for letter in word)


def _mask_two(word: str) -> str:
    """Replace the second letter and the last letter by asterisks."""
    return f"{word[0]}*{word[2:-1]}*"


def _inflect(word: str, ending: str) -> str:
    """Inflect a word as English does: hatchets, hatcheting, shovelled."""
    if ending == "s":
        if word.endswith(("s", "x", "z", "ch", "sh")):
            return word + "es"
        return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"
    if word.endswith("e"):
        return word[:-1] + ending
    if word.endswith("c"):
        return word + "k" + ending
    if word.endswith("y") and ending == "ed":
        return word[:-1] + "ied"
    is_short = sum(letter in "aeiou" for letter in word) == 1 and word[-2] in "aeiou"
    return word + (word[-1] if is_short and word[-1] not in "wxy" else "") + ending


def _halves(word: str, separator: str) -> str:
    middle = len(word) // 2
    return word[:middle] + separator + word[middle:]


EVASIONS: dict[str, Evasion] = {
    "as typed": lambda word: word,
    "capitals": str.upper,
    "alternating case": lambda word: "".join(
        letter.upper() if number % 2 else letter for number, letter in enumerate(word)
    ),
    "full width": lambda word: "".join(chr(ord(letter) + 0xFEE0) for letter in word),
    "mathematical bold": lambda word: _mathematical(0x1D41A, word),
    "mathematical script": lambda word: _mathematical(0x1D4EA, word),
    "mathematical fraktur": lambda word: _mathematical(0x1D586, word),
    "mathematical monospace": lambda word: _mathematical(0x1D68A, word),
    "double struck": lambda word: _mathematical(0x1D552, word),
    "circled": lambda word: _mathematical(0x24D0, word),
    "parenthesised": lambda word: _mathematical(0x249C, word),
    "negative circled": lambda word: _mathematical(0x1F150, word),
    "negative squared": lambda word: _mathematical(0x1F170, word),
    "regional indicators": lambda word: _mathematical(0x1F1E6, word),
    "small capitals": lambda word: word.translate(_SMALL_CAPITALS),
    "Cyrillic look-alikes": lambda word: word.translate(_CYRILLIC),
    "Greek look-alikes": lambda word: word.translate(_GREEK),
    "Armenian look-alikes": lambda word: word.translate(_ARMENIAN),
    "letters with strokes": lambda word: word.translate(_STROKES),
    "accents": _accent,
    "towers of marks": _tower,
    "struck through": _each("\u0336"),
    "enclosing circles": _each("\u20dd"),
    "zero-width spaces": _between("\u200b"),
    "zero-width joiners": _between("\u200d"),
    "word joiners": _between("\u2060"),
    "soft hyphens": _between("\u00ad"),
    "variation selectors": _each("\ufe0f"),
    "Hangul fillers": _between("\u3164"),
    "direction marks": _between("\u200e"),
    "tag characters": _between("\U000e0061"),
    "leet digits": lambda word: word.translate(_LEET_DIGITS),
    "leet 1 for l": lambda word: word.translate(_LEET_ONE_L),
    "leet symbols": lambda word: word.translate(_LEET_SYMBOLS),
    "leet, digits and symbols": lambda word: word.translate(_LEET_SYMBOLS).translate(_LEET_DIGITS),
    "currency signs": lambda word: word.translate(_CURRENCY),
    "drawn letters": _drawn,
    "spaced": _between(" "),
    "widely spaced": _between("   "),
    "dotted": _between("."),
    "hyphenated": _between("-"),
    "underscored": _between("_"),
    "starred": _between("*"),
    "slashed": _between("/"),
    "mixed separators": lambda word: "".join(
        letter + ". -_"[number % 4] for number, letter in enumerate(word)
    ).strip(". -_"),
    "emoji between": _between("🔥"),
    "dot inside": lambda word: _halves(word, "."),
    "hyphen inside": lambda word: _halves(word, "-"),
    "spaced leet": lambda word: " ".join(word.translate(_LEET_DIGITS)),
    "dotted Cyrillic": lambda word: ".".join(word.translate(_CYRILLIC)),
    "long vowel": lambda word: _first_vowel(word, lambda letter: letter * 5),
    "all letters doubled": _double,
    "all letters many times": lambda word: "".join(letter * 4 for letter in word),
    "Coptic look-alikes": lambda word: word.translate(_COPTIC),
    "Canadian syllabics": lambda word: word.translate(_CANADIAN),
    "Cherokee": lambda word: word.translate(_CHEROKEE),
    "strokes of CJK": lambda word: word.translate(_STROKED),
    "plural": lambda word: _inflect(word, "s"),
    "past": lambda word: _inflect(word, "ed"),
    "gerund": lambda word: _inflect(word, "ing"),
    "leet plural": lambda word: _inflect(word, "s").translate(_LEET_DIGITS),
    "brackets, degrees and carets": _bracket,
    "bracket for c": lambda word: word.replace("c", "(", 1),
    "doubled leet": lambda word: _double(word).translate(_LEET_DIGITS),
    "doubled leet symbols": lambda word: _double(word).translate(_LEET_SYMBOLS),
    "masked twice, once at the end": _mask_two,
    "blocks over a vowel": lambda word: _first_vowel(word, lambda letter: "█"),
    "masked vowel": lambda word: _first_vowel(word, lambda letter: "*"),
    "prompt weight": lambda word: f"({word}:1.4)",
    "nested brackets": lambda word: f"(({word}))",
    "square and curly brackets": lambda word: f"[{{{word}}}]",
    "weight inside": lambda word: f"{word[:2]}({word[2:]}:1.2)",
    "digits at the end": lambda word: f"{word}99",
    "in underscores": lambda word: f"_{word}_",
    "in markdown": lambda word: f"**~~{word}~~**",
    "HTML entities": lambda word: "".join(f"&#{ord(letter)};" for letter in word),
    "upside down": lambda word: word.translate(_UPSIDE_DOWN)[::-1],
    "possessive": lambda word: f"{word}'s",
}
