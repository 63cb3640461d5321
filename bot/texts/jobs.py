"""Texts of a job's message, and answers about jobs and their pictures."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

# The title if the message must not show the prompt
A_PROMPT = Text("A prompt")

# The state of the job
IN_QUEUE = Text("In the queue.")
BEING_DRAWN = Text("Being drawn.")
MODEL_LOADING = Text("The model is still loading; drawing starts by itself.")
DRAWING = Text("Drawing {bar} step {step} of {steps}")
ENLARGING = Text("Enlarging {bar} part {step} of {steps}")
TOO_LARGE_TO_SHOW = Text(
    "Discord does not accept this picture here, not even as a smaller file. Nothing was lost "
    "or charged, and the picture is kept. Please try again later, or tell a moderator."
)
IN_REVIEW = Text("Waiting for a moderator, who has to look at this first.")
HELD = Text("Waiting for a moderator.")
HIDDEN = Text(
    "Members have reported these pictures. They are hidden until a moderator has looked at them."
)
REMOVED = Text("A moderator has removed these pictures.")
SEALED = Text(
    "This prompt counts as sexual content about minors. Nobody can see or use the prompt or "
    "its pictures."
)
NOT_ATTACHED = Text(
    "The pictures are drawn and kept, but Discord does not accept them here: I may not attach "
    "files, or the files are too large for this server, or files are not allowed. `/gallery` "
    "shows them to you."
)

WITHHELD = Text("(the words of this prompt are not shown: the server's AutoMod refused them)")

# The alt texts
UNFINISHED = Text("Unfinished pictures being drawn from the prompt: {prompt}")
ONE_PICTURE = Text("A picture, drawn from the prompt: {prompt}")
THREE_PICTURES = Text("Three pictures side by side, drawn from the prompt: {prompt}")
PICTURE_OF = Text("Picture {panel} of {count}, drawn from the prompt: {prompt}")
PICTURE_WITH_NOTES = Text("{picture}. {notes}")

# Hidden pictures; the first two texts are drawn into the picture itself
TILE_HIDDEN = Text("hidden by\nthe filter")
TILE_UNCHECKED = Text("could not\nbe checked")
PANELS_HIDDEN = Plural(
    "Hidden by the filter: picture {panels}.", "Hidden by the filter: pictures {panels}."
)
PANELS_UNCHECKED = Plural(
    "Not shown, because the picture check does not work: picture {panels}. The owner can read "
    "the reason in the log.",
    "Not shown, because the picture check does not work: pictures {panels}. The owner can read "
    "the reason in the log.",
)

# Answers to people who ask for a picture
NO_SUCH_PICTURE = Text(
    "I do not know that picture in this channel, so nothing was done and nothing was charged. "
    "`/gallery` has your own pictures."
)
TIME_OVER = Text(
    "Triptych no longer has any data about these pictures: the time for which they are kept is "
    "over, or their author deleted them. Nothing was done or charged. A moderator can delete "
    "the message."
)
PANEL_HIDDEN = Text(
    "That picture is hidden by the filter, so you cannot use it. Nothing was charged. Choose "
    "another one, or press ↻ for new ones."
)
REMOVED_BY_MODERATOR = Text("A moderator has removed that picture, so you cannot use it.")
NO_LINK = Text(
    "That is not a link to a message. Right-click the message that shows the pictures (on a "
    "phone, press and hold it), choose Copy Message Link, and paste the link here."
)

# Deleting and cancelling
DELETE_FOR_GOOD = Text(
    "Delete these pictures for good? They are removed from the message, the disk and the "
    "gallery, and nobody can bring them back."
)
DELETED = Text("Deleted: the pictures are removed from the message, the disk and the gallery.")
DELETED_BUT_SHOWN = Text(
    "The pictures are removed from the disk and the gallery, but I may not delete the message "
    "that shows them. Press again later, or ask a moderator to delete it."
)
NOT_YOURS_TO_DELETE = Text(
    "Only the member who asked for these pictures and people with Manage Messages can delete them."
)
CANCELLED = Plural(
    "Your prompt was cancelled. Only steps that were already drawn count towards your quota.",
    "Your {count} prompts were cancelled. Only steps that were already drawn count towards your "
    "quota.",
)
WHICH_TO_CANCEL = Text("Which of your prompts do you want to cancel? The newest come first.")
NOTHING_TO_CANCEL = Text("You have nothing in the queue.")
NOT_YOURS = Text("Only the member who asked for these pictures can cancel them.")
TOO_LATE = Text("This prompt has already ended, so nothing was cancelled.")
