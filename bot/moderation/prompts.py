"""The rules a prompt must pass. Both the prompt and the negative prompt are read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.moderation.text import normalise
from bot.records import Outcome, Verdict


class PromptPolicy:
    """Whole words and phrases that nobody may use, compared in normalised form."""

    def __init__(self, blocked_words: Iterable[str]) -> None:
        forms = {form for word in blocked_words if (form := normalise(word))}
        words = "|".join(re.escape(form) for form in sorted(forms))
        # [^\W_] is a letter or digit: an underscore parts words as a space does.
        self._pattern = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])") if forms else None

    def judge(self, prompt: str, negative_prompt: str) -> Verdict:
        """ALLOW, or REFUSE naming the word as the member may read it."""
        if self._pattern is not None:
            for text in (prompt, negative_prompt):
                hit = self._pattern.search(normalise(text))
                if hit:
                    return Verdict(
                        Outcome.REFUSE,
                        f"The rules here do not allow “{hit[0]}” in a prompt. Nothing was drawn or "
                        "charged; change the prompt and try again.",
                    )
        return Verdict(Outcome.ALLOW)
