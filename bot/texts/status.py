"""Texts of /status, for moderators and for the owner of the bot."""

from __future__ import annotations

from bot.texts.catalog import Text

THIS_SERVER = Text("**This server**: {waiting:,} waiting, {drawing:,} being drawn.")
ALL_SERVERS = Text("**All servers**: {waiting:,} waiting, {drawing:,} being drawn.")
WAITS = Text("Wait in the last hour: median {median}, 95th percentile {slow}.")
NO_WAITS = Text("Nothing was drawn in the last hour.")
ENGINE_UP = Text("**Engine**: up.")
ENGINE = Text("**Engine**: {model} on {device} ({dtype}).")
ENGINE_LOADING = Text("**Engine**: the model is loading.")
ENGINES = Text("**Engines**: {ready:,} of {all:,} can draw.")
ENGINE_LINE = Text(
    "{name}: {state}; {drawing:,} being drawn; {pictures:,} pictures in the last hour; "
    "faults: {faults:,}."
)
ENGINE_READY = Text("{model} on {device} ({dtype})")
STATE_LOADING = Text("loads its model")
STATE_DRAINING = Text("finishes what it draws and takes no more")
STATE_LOST = Text("lost, and will start again ({note})")
STATE_REFUSED = Text("cannot load its model ({note})")
REST_FOR_OWNER = Text("Only the owner of this bot can see memory, warnings and all the rest.")
MEMORY = Text("**Memory**: {peak:,} MiB at the most.")
REFUSED = Text("**Refused by Discord** in ten minutes: {count:,}.")
CHORES = Text("**Background chores**:")
CHORES_WELL = Text("**Background chores**: no faults")
WARNINGS = Text("**Last warnings**:")
NO_WARNINGS = Text("**Last warnings**: none")
