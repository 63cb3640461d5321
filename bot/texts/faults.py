"""Answers for when a command, a button or the database fails."""

from __future__ import annotations

from bot.texts.catalog import Text

UNEXPECTED = Text(
    "Something went wrong on our side. Nothing was charged. Please try again; if it happens again, "
    "tell the owner of this bot."
)
UNKNOWN_BUTTON = Text(
    "This button is of another version of Triptych, so nothing was done and nothing was charged. "
    "`/gallery` has your pictures with buttons that work."
)
COMMAND_CHANGED = Text(
    "This command changed; reload Discord (Ctrl+R) and use it again. Nothing was done and nothing "
    "was charged."
)
TYPED_GONE = Text(
    "What you typed into this form is not there any more, because Triptych keeps it only for an "
    "hour and until it is restarted. Nothing was done or charged. Please open the form again where "
    "you found it."
)
TYPED = Text("What you typed is in this file.")
ONLY_IN_SERVERS = Text(
    "This command is for servers that have added Triptych, and works nowhere else. Nothing was "
    "shown or changed."
)
NOT_IN_QUEUE = Text(
    "Your prompt was taken, but the record cannot be written at the moment, so it is not in the "
    "queue yet. As soon as it can be, Triptych draws it or tells you why not, and nothing was "
    "charged. If this lasts, tell the owner, whose log says more."
)
UNCONFIRMED = Text(
    "Triptych's record is slow at the moment, so this will be done a little later or not at all. "
    "Nothing was charged. Please look in a minute, and do it again if it was not done."
)
RECORD_GONE = Text(
    "The file of Triptych's record has been removed or replaced while it runs, so it takes no new "
    "prompts. Nothing was drawn or charged; the owner must stop it and restore the record."
)
