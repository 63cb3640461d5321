"""What the licence of a model allows, in a sentence."""

from __future__ import annotations

from bot.texts.catalog import Text

UNKNOWN = Text("Its licence is not known; read it where the model comes from.")
ALLOWS_ALL = Text("Its licence, {licence}, allows all uses.")
LISTS_USES = Text("Its licence, {licence}, allows all uses except those that it lists as harmful.")
NOT_COMMERCIAL = Text("Its licence, {licence}, is for non-commercial use only.")
LIMITS_REVENUE = Text(
    "Its licence, {licence}, allows commercial use only below a yearly revenue of 1 million US "
    "dollars."
)
NOT_EVERYWHERE = Text(
    "Its licence, {licence}, is not valid in the European Union, the United Kingdom and South "
    "Korea; do not use the model there."
)
OWN_TERMS = Text("Its licence, {licence}, has terms of its own; read them before you use it.")
ASKS_FOR_FILTER = Text(
    "It demands a content filter; Triptych's checks of prompts and pictures are one."
)
