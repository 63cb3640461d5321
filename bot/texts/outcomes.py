"""How prompts, sanctions and reports ended, and why Discord or the engine failed."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text
from bot.texts.codes import Code

OUTCOMES: dict[Code, Text] = {
    Code.FILE_NOT_READ: Text("{path} cannot be read ({fault}). Nothing was drawn."),
    Code.START_GONE: Text(
        "The picture that this should start from is gone: it was deleted, or it expired. "
        "Nothing was drawn or charged; choose another one."
    ),
    Code.CANCELLED: Text("Cancelled."),
    Code.DELETED: Text("Deleted."),
    Code.MEMBER_LEFT: Text(
        "The member who asked has left the server, so this was not posted. "
        "Only the steps that were drawn were charged."
    ),
    Code.THREAD_CLOSED: Text(
        "This thread is archived and locked, so nothing can be posted here. Nothing was drawn or "
        "charged; ask again in another channel."
    ),
    Code.ANSWERED_TOO_LATE: Text("The first answer came too late. Nothing was drawn or charged."),
    Code.NEVER_ANSWERED: Text(
        "Triptych stopped before it could answer. Nothing was drawn or charged."
    ),
    Code.ANSWERED_ELSEWHERE: Text(
        "Another program with the same token answered this prompt. Nothing was drawn or charged "
        "here."
    ),
    Code.MESSAGE_DELETED: Text(
        "The message of your prompt was deleted before the pictures were posted, so nothing is "
        "posted. You are charged only for the steps that were drawn. Ask again if you still want "
        "them."
    ),
    Code.COMMAND_INTERRUPTED: Text("The command was interrupted."),
    Code.DRAWING_FAILED: Text(
        "Sorry: this prompt could not be drawn, even at the second attempt. Nothing was charged. "
        "Try other settings, or ask the owner to look at the log."
    ),
    Code.DRAWING_INTERRUPTED: Text(
        "Sorry: drawing this prompt was interrupted twice. Nothing was charged; please ask again."
    ),
    Code.RESTARTED_IN_QUEUE: Text(
        "Triptych was restarted while this prompt was in the queue. Nothing was charged; please "
        "ask again."
    ),
    Code.RESTARTED_BEFORE_TAKEN: Text(
        "Triptych was restarted before it could take this prompt. Nothing was charged; please ask "
        "again."
    ),
    Code.RESTARTED_BEFORE_UPLOAD: Text(
        "Triptych was restarted before it had looked at the picture you sent. Nothing was charged; "
        "please ask again."
    ),
    Code.PICTURES_LOST: Text(
        "The pictures were lost from the disk before they could be posted. Nothing was charged; "
        "please ask again."
    ),
    Code.NOT_POSTED: Text(
        "Your pictures are done, but they could not be posted where you asked for them. {why} They "
        "are kept: /gallery shows them, and nothing was charged."
    ),
    Code.MODERATOR_REFUSED: Text("A moderator refused this. Nothing was charged."),
    Code.EXPLAINED: Text("{what} The moderator's reason: {why}"),
    Code.WITH_APPEAL: Text("{what}\n{appeal}"),
    Code.APPEAL_TO_MODERATORS: Text(
        "If you think that this is wrong, write to the moderators of this server."
    ),
    Code.APPEAL_IN_CHANNEL: Text("If you think that this is wrong, write in <#{channel_id}>."),
    Code.NOT_REVIEWED_IN_TIME: Text(
        "No moderator looked at this in time. Nothing was charged; you may ask again, or ask a "
        "moderator."
    ),
    Code.CARD_NOT_POSTED: Text(
        "A moderator has to look at this first, but I cannot post in the moderators' channel. "
        "Nothing was charged; please tell a moderator."
    ),
    Code.UNEXPLAINED: Text(
        "Something went wrong on our side, and nothing was charged. Please try again; if it "
        "happens again, ask the owner to look at the log."
    ),
    Code.MAY_NOT_POST: Text("Triptych may not post there."),
    Code.MESSAGE_GONE: Text("The channel or the message is gone."),
    Code.MESSAGE_OUT_OF_REACH: Text("Triptych cannot reach the message."),
    Code.FILES_TOO_LARGE: Text("The files are too large for that channel."),
    Code.FILES_NOT_TAKEN: Text("Discord accepts no files there at the moment."),
    Code.THREAD_ARCHIVED: Text("The thread is archived and locked."),
    Code.TEXT_NOT_TAKEN: Text("Discord or a rule of this server does not accept the text."),
    Code.DISCORD_REFUSED: Text("Discord did not accept them."),
    Code.DISK_FULL: Text(
        "The disk with the database is full, so nothing was saved and nothing was charged. The "
        "owner must make room on it; please try again after that."
    ),
    Code.RECORD_READ_ONLY: Text(
        "The database ({path}) cannot be written, so nothing was saved and nothing was "
        "charged. The owner must make DATA_DIR a folder that Triptych may write to."
    ),
    Code.RECORD_NOT_WRITTEN: Text(
        "The database could not be written ({fault}), so nothing was saved and nothing was "
        "charged. Please try again; if it happens again, the owner should look at the log."
    ),
    Code.PICTURES_NOT_SAVED: Text(
        "The pictures could not be saved ({fault}), so nothing was charged. The owner must make "
        "room in DATA_DIR; please try again after that."
    ),
    Code.STOPPING: Text(
        "Triptych is stopping, so nothing was saved or charged. Please try again in a minute."
    ),
    Code.MODEL_NOT_LOADED: Text(
        "The model {asked} is not here. Choose one of: {loaded}. Nothing was drawn or charged."
    ),
    Code.MODEL_OUT: Text(
        "The model {model} does not work at the moment. Choose another one: {others}. Or try again "
        "later. Nothing was charged."
    ),
    Code.MODEL_OUT_ALONE: Text(
        "The model {model} does not work at the moment. Try again later. Nothing was charged."
    ),
    Code.NO_SEEDS: Text("The list of seeds is empty, so there is no picture to draw."),
    Code.SIZE_NOT_OF_MODEL: Text(
        "The model {model} cannot draw {width}×{height}: width and height must be multiples of "
        "{multiple} pixels. Nothing was drawn or charged."
    ),
    Code.NO_STEPS: Text("At least one step is needed. Nothing was drawn or charged."),
    Code.GUIDANCE_NOT_A_NUMBER: Text(
        "Guidance must be a number of at least 0. Nothing was drawn or charged."
    ),
    Code.SHARES_OUT_OF_RANGE: Text(
        "Strength and the guided share of the steps must be between 0 and 1. Nothing was drawn or "
        "charged."
    ),
    Code.UPSCALER_CHANGED: Text(
        "After you pressed, the owner of the bot changed or turned off the network that "
        "enlarges pictures. Nothing was charged, and your picture is unchanged; press Upscale "
        "again."
    ),
    Code.START_OF_WRONG_SHAPE: Text("The picture to start from must be (height, width, 3)."),
    Code.NOT_IN_TABLES: Text(
        "The sampler {sampler} cannot draw this with {steps} steps ({fault}). Choose other steps "
        "or another sampler. Nothing was drawn or charged."
    ),
    Code.TOO_LARGE_FOR_DEVICE: Text(
        "{width}×{height} does not fit into the memory of this device, even one picture at a time. "
        "Choose a smaller size. Nothing was drawn or charged."
    ),
    Code.DRAWN_ALREADY: Text("Request {request_id} is already being drawn."),
    Code.OWN_WORDS: Text("{text}"),
    Code.STRIKES: Plural(
        "{count} strike. The last one: {last}", "{count} strikes. The last one: {last}"
    ),
    Code.SUSPENDED_FOR_REFUSED: Text("A moderator refused a prompt or pictures of yours."),
    Code.STRUCK_FOR_REPORTED: Text(
        "A moderator removed pictures of yours that members had reported."
    ),
    Code.PICTURES_RESTORED: Text("The pictures were restored."),
    Code.PICTURES_REMOVED: Text("The pictures were removed."),
    Code.PICTURES_REMOVED_WITH_STRIKE: Text(
        "The pictures were removed, and the member got a strike."
    ),
    Code.APPEAL_GRANTED: Text("The appeal was granted."),
    Code.APPEAL_DENIED: Text("The appeal was denied."),
    Code.MODERATOR_LIFTED: Text("Lifted by a moderator."),
    Code.SETTING: Text("{name}"),
    Code.SETTING_OF_CHANNEL: Text("{name}, channel {channel_id}"),
    Code.STYLE: Text("{name}"),
    Code.RULES_BEYOND_BUDGET: Plural(
        "{count} rule over the budget: {rules}",
        "{count} rules over the budget: {rules}",
    ),
}
