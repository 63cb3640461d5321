"""Texts about the queue and a prompt's place in it."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

# A prompt's place in the queue, and the reason for it.
# people: how many people have prompts ahead of this one.
# count: how many of these people the reason is about.
NEXT = Text("Next in the queue.")
OWN_FIRST = Text("Number {position:,} in the queue, after your own earlier prompts.")
CAME_FIRST = Plural(
    "Number {position:,} in the queue: {count:,} person asked before you.",
    "Number {position:,} in the queue: {count:,} people asked before you.",
)
TURNS = Plural(
    "Number {position:,} in the queue: you and {count:,} person ahead take turns.",
    "Number {position:,} in the queue: you and {count:,} people ahead take turns.",
)
ALL_DREW_LESS = Plural(
    "Number {position:,} in the queue: {count:,} person ahead has drawn less in the last hours.",
    "Number {position:,} in the queue: {count:,} people ahead have drawn less in the last hours.",
)
SOME_DREW_LESS = Plural(
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead has drawn less in "
    "the last hours.",
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead have drawn less in "
    "the last hours.",
)
ALL_SERVERS_DREW_LESS = Plural(
    "Number {position:,} in the queue: {count:,} person ahead or their server has drawn less in "
    "the last hours.",
    "Number {position:,} in the queue: {count:,} people ahead or their servers have drawn less in "
    "the last hours.",
)
SOME_SERVERS_DREW_LESS = Plural(
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead or their server "
    "has drawn less in the last hours.",
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead or their servers "
    "have drawn less in the last hours.",
)
ALL_HAVE_GREATER_SHARE = Plural(
    "Number {position:,} in the queue: {count:,} person ahead has drawn less in the last hours, "
    "compared with the share that their roles have.",
    "Number {position:,} in the queue: {count:,} people ahead have drawn less in the last hours, "
    "compared with the share that their roles have.",
)
SOME_HAVE_GREATER_SHARE = Plural(
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead has drawn less in "
    "the last hours, compared with the share that their roles have.",
    "Number {position:,} in the queue: {count:,} of the {people:,} people ahead have drawn less "
    "in the last hours, compared with the share that their roles have.",
)
READY_IN = Text("Ready in about {wait}.")

# The answer to /queue
MODEL = Text("Triptych draws with {model}.")
MODEL_LOADING = Text("The model is still loading.")
IN_THIS_SERVER = Plural(
    "In this server: {count:,} prompt in the queue, {drawing:,} being drawn.",
    "In this server: {count:,} prompts in the queue, {drawing:,} being drawn.",
)
OWN_PROMPT = Text("“{prompt}” — {place}")
LEFT = Plural(
    "You have {waiting:,} in the queue and {drawing:,} being drawn; you may have {count:,} prompt "
    "at once. You have {left:.1f} of {most:g} left this hour (1 is one prompt with default "
    "settings).",
    "You have {waiting:,} in the queue and {drawing:,} being drawn; you may have {count:,} "
    "prompts at once. You have {left:.1f} of {most:g} left this hour (1 is one prompt with "
    "default settings).",
)
