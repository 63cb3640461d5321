"""The labels of the buttons under pictures and rounds. Discord allows 80 characters for a label."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

CANCEL = Text("Cancel")
CANCEL_ALL = Plural("Cancel {count:,} prompt", "Cancel all {count:,} prompts")
DELETE_FOR_GOOD = Text("Delete for good")
DELETE_PICTURES = Text("Delete the pictures")
EDIT = Text("Edit")
NEWEST_PICTURES = Text("Newest")
OLDER_PICTURES = Text("Older")
REMIX = Text("✎ Remix")
REROLL = Text("↻ Reroll")
START = Text("Use as start")
TRY_AGAIN = Text("Try again")
ORIGINAL = Text("Original size")
ROUND_ADD = Text("Add a phrase")
ROUND_ALL = Text("All phrases")
ROUND_BACK = Text("Take one back")
ROUND_CANCEL = Text("Cancel the round")
ROUND_CLOSE = Text("Close now")
ROUND_DRAW = Text("Draw it anyway")
ROUND_HELP = Text("How it works")
ROUND_NEXT = Text("Next round")
ROUND_PICK = Text("Vote for {panel}")
ROUND_STRIKE = Text("Strike out")
ROUND_VOTE = Text("Vote for phrases")
UPSCALE = Text("Upscale")
UPSCALE_BY_REDRAWING = Text("Upscale (redraw)")
VARY = Text("Vary")
VARY_ONE = Text("Vary {panel}")
