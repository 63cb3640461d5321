"""Answers that people get if a command, a button or the database fails."""

from __future__ import annotations

from bot.texts.catalog import Text

UNEXPECTED = Text(
    "Something went wrong on our side. Nothing was charged. Please try again; if it happens again, "
    "tell the owner of this bot."
)
UNKNOWN_BUTTON = Text(
    "This button is from another version of Triptych, so nothing was done and nothing was "
    "charged. `/gallery` has your pictures with buttons that work."
)
COMMAND_CHANGED = Text(
    "This command changed; reload Discord (Ctrl+R) and use it again. Nothing was done and nothing "
    "was charged."
)
TYPED_GONE = Text(
    "What you typed into this form is gone, because Triptych keeps it for only an hour, or "
    "until it is restarted. Nothing was done or charged. Please open the form again where you "
    "found it."
)
TYPED = Text("What you typed is in this file.")
ONLY_IN_SERVERS = Text(
    "This command works only in servers that have added Triptych. Nothing was shown or changed."
)
NOT_IN_QUEUE = Text(
    "Your prompt was accepted, but the database cannot be written at the moment, so the prompt "
    "is not in the queue yet. When this is over, Triptych draws it or tells you why not. "
    "Nothing was charged. If this lasts, tell the owner, who can read more in the log."
)
UNCONFIRMED = Text(
    "Triptych's database is slow at the moment, so this will be done a little later or not at "
    "all. Nothing was charged. Please look in a minute, and do it again if it was not done."
)
RECORD_GONE = Text(
    "Somebody removed or replaced Triptych's database while Triptych was running, so it "
    "accepts no new prompts. Nothing was drawn or charged; the owner must stop Triptych and "
    "restore the database."
)
