"""Texts about the models that people can choose."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

# The answer to /models
HEAD = Text("Models that you can use here")
NOTHING = Text(
    "There is no model that you can use here. Ask a moderator which roles may use one; or if "
    "Triptych has just been started, try again in a minute."
)
CHOOSE = Text("Write `/imagine model:` to choose one.")
IS_DEFAULT = Text("{model} (used if you choose none)")
STEPS = Plural("{sizes} · {count} step", "{sizes} · {count} steps")
NOW = Text("{facts} · now ready in about {wait}")
LOADING = Text("It is still being loaded.")
FAILED = Text("It cannot draw at the moment.")
WHY_FAILED = Text("For you, the owner: {why}")
ONLY_EDITS = Text("It only changes pictures, with `/edit`.")
DEPICTS_PERSON = Text(
    "It was trained on pictures of a real person, so it draws nothing sexual and nobody undressed."
)
PAGE = Text("Page {page}")

# In lists to choose from; Discord takes 100 characters for an entry
CHOICE_FAILED = Text("{model} (cannot draw at the moment)")
