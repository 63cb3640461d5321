"""What each reason says. Whole sentences that are written out, so that they can be translated."""

from __future__ import annotations

from bot.texts.codes import Code

SENTENCES: dict[Code, str | tuple[str, str]] = {
    Code.PROMPT_EMPTY: "The prompt is empty. Say what to draw, for example: dog in autumn leaves.",
    Code.PROMPT_TOO_LONG: (
        "The prompt has {length:,} characters; the most is {most:,}. Nothing was drawn or charged; "
        "please shorten it."
    ),
    Code.NEGATIVE_PROMPT_TOO_LONG: (
        "The negative prompt has {length:,} characters; the most is {most:,}. Nothing was drawn or "
        "charged; please shorten it."
    ),
    Code.STEPS_OUT_OF_RANGE: (
        "Steps must be between {least:,} and {most:,}. Nothing was drawn or charged."
    ),
    Code.OUT_OF_RANGE: (
        "{parameter} must be between {least:g} and {most:g}. Nothing was drawn or charged."
    ),
    Code.SEED_OUT_OF_RANGE: (
        "The seed must be a whole number between {least:,} and {most:,}. Nothing was drawn or "
        "charged."
    ),
    Code.SIDE_OUT_OF_RANGE: (
        "Width and height must be between {least:,} and {most:,} pixels. Nothing was drawn or "
        "charged."
    ),
    Code.STRENGTH_OUT_OF_RANGE: (
        "Strength must be more than 0 and at most 1: low keeps the picture, high follows the "
        "prompt. Nothing was drawn or charged."
    ),
    Code.STRENGTH_WITHOUT_PICTURE: (
        "Strength says how much of a picture changes, but you sent no picture. Send one as image, "
        "or leave strength out. Nothing was drawn or charged."
    ),
    Code.SIZE_NOT_READ: (
        "That is not a size. Write width x height in pixels, for example 512x768. Nothing was "
        "drawn or charged."
    ),
    Code.SEED_NOT_READ: (
        "That is not a seed. Write a whole number from 0 to {most:,}, or leave it out. Nothing was "
        "drawn or charged."
    ),
    Code.SAMPLER_UNKNOWN: (
        "There is no such sampler. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.SAMPLER_NOT_OF_MODEL: (
        "The model {model} cannot use the sampler {sampler}. Choose one of: {known}. Nothing was "
        "drawn or charged."
    ),
    Code.PRESET_UNKNOWN: (
        "There is no such preset. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.STYLE_UNKNOWN: (
        "There is no such style here. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.SIDE_NOT_OF_MODEL: (
        "With the model {model}, width and height must be multiples of {multiple}: instead of "
        "{side}, use {lower} or {upper}. Nothing was drawn or charged."
    ),
    Code.RECIPE_NEWER: (
        "This prompt uses settings of a newer Triptych that this version does not know, so it "
        "cannot be drawn here. It was left as it is; the owner can install the newer version again."
    ),
    Code.ALREADY_PRESSED: (
        "You pressed that already, and it is in the queue for you. Nothing more was charged; press "
        "again when it is done."
    ),
    Code.MAY_NOT_ATTACH: (
        "I may not attach files in this channel, so the pictures could not be shown. Nothing was "
        "charged. Ask a moderator to allow me “Attach Files” here, or use another channel."
    ),
    Code.SERVER_PAUSED: (
        "The moderators have paused Triptych in this server. What is already in the queue stays "
        "there. Nothing was drawn or charged; please try again later."
    ),
    Code.OTHER_CHANNELS: (
        "In this server Triptych draws only in {channels}. Nothing was drawn or charged."
    ),
    Code.OTHER_ROLES: (
        "In this server Triptych draws only for members with one of these roles: {roles}. Nothing "
        "was drawn or charged."
    ),
    Code.MEMBER_TOO_NEW: (
        "In this server Triptych draws for members who joined at least {count} day ago. You can "
        "use it <t:{opens:.0f}:R>. Nothing was drawn or charged.",
        "In this server Triptych draws for members who joined at least {count} days ago. You can "
        "use it <t:{opens:.0f}:R>. Nothing was drawn or charged.",
    ),
    Code.MEMBER_OF_UNKNOWN_AGE: (
        "In this server Triptych draws for members who joined at least {count} day ago, and "
        "Discord did not say when you joined. Nothing was drawn or charged.",
        "In this server Triptych draws for members who joined at least {count} days ago, and "
        "Discord did not say when you joined. Nothing was drawn or charged.",
    ),
    Code.SUSPENDED: (
        "You are suspended from making pictures here until <t:{until:.0f}:f>. Reason: {why} "
        "Nothing was drawn or charged."
    ),
    Code.RESTARTING: (
        "Triptych is about to restart and takes no new prompts. Nothing was charged; please try "
        "again in a minute."
    ),
    Code.ROLES_MAY_NOT_WAIT: (
        "Your roles in this server do not let you have a prompt in the queue. Nothing was drawn or "
        "charged; ask a moderator which roles do."
    ),
    Code.MEMBER_WAITS: (
        "You already have {count} prompt in the queue, the most one member may have. Nothing was "
        "charged. Wait for it to finish or /cancel it, then try again.",
        "You already have {count} prompts in the queue, the most one member may have. Nothing was "
        "charged. Wait for one to finish or /cancel one, then try again.",
    ),
    Code.SERVER_WAITS: (
        "This server already has {count} prompt in the queue, the most there may be. Nothing was "
        "charged; please try again in a few minutes.",
        "This server already has {count} prompts in the queue, the most there may be. Nothing was "
        "charged; please try again in a few minutes.",
    ),
    Code.DIRECT_MESSAGES_WAIT: (
        "Direct messages already have {count} prompt in the queue, the most there may be. Nothing "
        "was charged; please try again in a few minutes.",
        "Direct messages already have {count} prompts in the queue, the most there may be. Nothing "
        "was charged; please try again in a few minutes.",
    ),
    Code.QUEUE_FULL: (
        "The queue is full ({count} prompt). Nothing was charged; please try again in a few "
        "minutes.",
        "The queue is full ({count} prompts). Nothing was charged; please try again in a few "
        "minutes.",
    ),
    Code.COST_THIS_HOUR: (
        "This prompt would cost {cost:.1f} and you have {left:.1f} of {most:g} left this hour (1 "
        "is one prompt with default settings). Nothing was charged; ask for fewer steps or a "
        "smaller size, or try again later."
    ),
    Code.COST_THIS_DAY: (
        "This prompt would cost {cost:.1f} and you have {left:.1f} of {most:g} left in 24 hours (1 "
        "is one prompt with default settings). Nothing was charged; ask for fewer steps or a "
        "smaller size, or try again later."
    ),
    Code.WAIT_TOO_LONG: (
        "The wait is about {minutes:.0f} minutes. Where Triptych is not a member of the channel, "
        "it can answer for only 15. Nothing was charged; please try again when the queue is "
        "shorter, or in a server that Triptych has joined."
    ),
    Code.RULE_REFUSES: (
        "The rules here do not allow “{text}” in a prompt. Nothing was drawn or charged; change "
        "the prompt and try again."
    ),
    Code.RULE_HOLDS: "The rules here ask for care with “{text}” in a prompt.",
    Code.RULE_COVERS: "The rules here cover pictures with “{text}” in the prompt.",
    Code.PATTERN_REFUSES: (
        "The rules here do not allow this in a prompt. Nothing was drawn or charged; change the "
        "prompt and try again."
    ),
    Code.PATTERN_HOLDS: "The rules here ask for care with this in a prompt.",
    Code.PATTERN_COVERS: "The rules here cover pictures with this in the prompt.",
    Code.RULES_TOO_COSTLY: (
        "The rules of this server take too long to read this prompt, so it was refused. Nothing "
        "was drawn or charged; change the prompt, or ask a moderator to make the patterns simpler."
    ),
    Code.MINORS_REFUSED: (
        "Triptych draws no sexual content about minors. Nothing was drawn or charged; change the "
        "prompt and try again."
    ),
    Code.MINORS_REFUSED_BEHIND: (
        "Triptych draws no sexual content about minors. The prompts behind the picture that this "
        "one starts from count, too. Nothing was drawn or charged; change the prompt, or start "
        "from another picture, and try again."
    ),
    Code.MINORS_HELD: "This may be sexual content about minors.",
    Code.MINORS_HELD_BEHIND: (
        "This may be sexual content about minors. The prompts behind the picture that this one "
        "starts from count, too."
    ),
    Code.PEOPLE_REFUSED: (
        "Triptych draws no sexual content about real people. Nothing was drawn or charged; change "
        "the prompt and try again."
    ),
    Code.PEOPLE_REFUSED_BEHIND: (
        "Triptych draws no sexual content about real people. The prompts behind the picture that "
        "this one starts from count, too. Nothing was drawn or charged; change the prompt, or "
        "start from another picture, and try again."
    ),
    Code.PEOPLE_HELD: "This may be sexual content about real people.",
    Code.PEOPLE_HELD_BEHIND: (
        "This may be sexual content about real people. The prompts behind the picture that this "
        "one starts from count, too."
    ),
    Code.SENT_PICTURE_UNDRESSED: (
        "Pictures that people send may show real persons, so Triptych draws nothing sexual and "
        "nobody undressed from them. The same holds for what was drawn from one, and for pictures "
        "whose words are gone. Nothing was drawn or charged; change the prompt, or start from "
        "another picture, and try again."
    ),
    Code.EVERYTHING_REVIEWED: "Every prompt here is reviewed.",
    Code.NEWCOMERS_REVIEWED: "Prompts of new members are reviewed here.",
    Code.NO_REVIEW_HERE: (
        "{why} A moderator would have to look at it first, and there is no review here. Nothing "
        "was drawn or charged; change the prompt and try again."
    ),
    Code.STARTS_COVERED: "It starts from a covered picture.",
    Code.PICTURES_FLAGGED: "The picture check has flagged these pictures.",
    Code.PICTURES_UNCHECKED: (
        "The picture check does not work, so a moderator has to look at the pictures."
    ),
    Code.UPLOAD_TOO_LARGE: (
        "The picture has {size:,.1f} MiB; the most is {most}. Nothing was drawn or charged; please "
        "send a PNG, JPEG or WebP picture that is smaller."
    ),
    Code.UPLOAD_TOO_MANY_PIXELS: (
        "That picture has too many pixels: the most for such a file is {side:,} on a side and "
        "{millions} million in all. Nothing was drawn or charged; please send a PNG, JPEG or WebP "
        "picture that is smaller."
    ),
    Code.UPLOAD_NO_PICTURE: (
        "That file is not a picture that can be read here. Nothing was drawn or charged; please "
        "send a PNG, JPEG or WebP picture."
    ),
    Code.UPLOAD_DAMAGED: (
        "That picture is damaged and cannot be read. Nothing was drawn or charged; please send a "
        "PNG, JPEG or WebP picture."
    ),
    Code.UPLOAD_MOVES: (
        "That picture moves. Nothing was drawn or charged; please send a PNG, JPEG or WebP picture "
        "that stands still."
    ),
    Code.UPLOAD_TOO_SLOW: (
        "That picture takes too long to open. Nothing was drawn or charged; please save it as a "
        "plain PNG or JPEG and send that."
    ),
    Code.UPLOAD_NOT_OPENED: (
        "That picture is damaged or takes too much memory to open. Nothing was drawn or charged; "
        "please save it as a plain PNG or JPEG and send that."
    ),
    Code.UPLOAD_NO_TURN: (
        "Your picture was not opened: too many others came first, or Triptych is being restarted. "
        "Nothing was drawn or charged; please send it again in a minute."
    ),
    Code.UPLOAD_FLAGGED: (
        "The picture check flagged the picture you sent, so it was not used. Nothing was drawn or "
        "charged; please start from another one."
    ),
    Code.UPLOAD_UNCHECKED: (
        "The picture check does not work at present, so pictures cannot be sent. Nothing was drawn "
        "or charged; please tell the owner, whose log says more."
    ),
    Code.UPLOAD_NOT_FETCHED: (
        "Discord did not hand over the picture you sent, so nothing was drawn or charged. Please "
        "send it again."
    ),
    Code.FILE_NOT_READ: "{path} cannot be read ({fault}). Nothing was drawn.",
    Code.START_GONE: (
        "The picture that this should start from is gone: it was deleted, or its time was over. "
        "Nothing was drawn or charged; choose another one."
    ),
    Code.CANCELLED: "Cancelled.",
    Code.DELETED: "Deleted.",
    Code.THREAD_CLOSED: (
        "This thread is archived and locked, so nothing can be posted here. Nothing was drawn or "
        "charged; ask again in another channel."
    ),
    Code.ANSWERED_TOO_LATE: "The first answer came too late. Nothing was drawn or charged.",
    Code.NEVER_ANSWERED: ("Triptych stopped before it could answer. Nothing was drawn or charged."),
    Code.COMMAND_INTERRUPTED: "The command was interrupted.",
    Code.DRAWING_FAILED: (
        "Sorry: this prompt could not be drawn, even at the second attempt. Nothing was charged. "
        "Try other settings, or ask the owner to look at the log."
    ),
    Code.DRAWING_INTERRUPTED: (
        "Sorry: drawing this prompt was interrupted twice. Nothing was charged; please ask again."
    ),
    Code.RESTARTED_IN_QUEUE: (
        "Triptych was restarted while this prompt was in the queue. Nothing was charged; please "
        "ask again."
    ),
    Code.RESTARTED_BEFORE_TAKEN: (
        "Triptych was restarted before it could take this prompt. Nothing was charged; please ask "
        "again."
    ),
    Code.RESTARTED_BEFORE_UPLOAD: (
        "Triptych was restarted before it had looked at the picture you sent. Nothing was charged; "
        "please ask again."
    ),
    Code.PICTURES_LOST: (
        "The pictures were lost from the disk before they could be posted. Nothing was charged; "
        "please ask again."
    ),
    Code.NOT_POSTED: (
        "Your pictures are done, but they could not be posted where you asked for them. {why} They "
        "are kept: /gallery shows them, and nothing was charged."
    ),
    Code.MODERATOR_REFUSED: "A moderator refused this. Nothing was charged.",
    Code.NOT_REVIEWED_IN_TIME: (
        "No moderator looked at this in time. Nothing was charged; you may ask again, or ask a "
        "moderator."
    ),
    Code.CARD_NOT_POSTED: (
        "A moderator has to look at this first, and I cannot post in the channel where they would. "
        "Nothing was charged; please tell a moderator."
    ),
    Code.UNEXPLAINED: (
        "Something went wrong on our side, and nothing was charged. Please try again; if it "
        "happens again, ask the owner to look at the log."
    ),
    Code.MAY_NOT_POST: "Triptych may not post there.",
    Code.MESSAGE_GONE: "The channel or the message is gone.",
    Code.MESSAGE_OUT_OF_REACH: "The message is out of reach.",
    Code.FILES_TOO_LARGE: "The files are too large for that channel.",
    Code.FILES_NOT_TAKEN: "Discord takes no files there at the moment.",
    Code.THREAD_ARCHIVED: "The thread is archived and locked.",
    Code.DISCORD_REFUSED: "Discord did not take them.",
    Code.DISK_FULL: (
        "The disk that holds the record is full, so nothing was saved and nothing was charged. The "
        "owner must make room on it; please try again after that."
    ),
    Code.RECORD_READ_ONLY: (
        "The record ({path}) cannot be written, so nothing was saved and nothing was charged. The "
        "owner must make DATA_DIR a folder that Triptych may write to."
    ),
    Code.RECORD_NOT_WRITTEN: (
        "The record could not be written ({fault}), so nothing was saved and nothing was charged. "
        "Please try again; if it happens again, the owner should look at the log."
    ),
    Code.PICTURES_NOT_SAVED: (
        "The pictures could not be saved ({fault}), so nothing was charged. The owner must make "
        "room in DATA_DIR; please try again after that."
    ),
    Code.STOPPING: (
        "Triptych is stopping, so nothing was saved or charged. Please try again in a minute."
    ),
    Code.MODEL_NOT_LOADED: (
        "This engine has the model {loaded} loaded, not {asked}. Nothing was drawn or charged."
    ),
    Code.NO_SEEDS: "The list of seeds is empty, so there is no picture to draw.",
    Code.SIZE_NOT_OF_MODEL: (
        "The model {model} cannot draw {width}×{height}: width and height must be multiples of "
        "{multiple} pixels. Nothing was drawn or charged."
    ),
    Code.NO_STEPS: "At least one step is needed. Nothing was drawn or charged.",
    Code.GUIDANCE_NOT_A_NUMBER: (
        "Guidance must be a number of at least 0. Nothing was drawn or charged."
    ),
    Code.SHARES_OUT_OF_RANGE: (
        "Strength and the guided share of the steps must be between 0 and 1. Nothing was drawn or "
        "charged."
    ),
    Code.START_OF_WRONG_SHAPE: "The picture to start from must be (height, width, 3).",
    Code.NOT_IN_TABLES: (
        "The sampler {sampler} cannot draw this with {steps} steps ({fault}). Choose other steps "
        "or another sampler. Nothing was drawn or charged."
    ),
    Code.TOO_LARGE_FOR_DEVICE: (
        "{width}×{height} does not fit into the memory of this device, even one picture at a time. "
        "Choose a smaller size. Nothing was drawn or charged."
    ),
    Code.DRAWN_ALREADY: "Request {request_id} is already being drawn.",
    Code.OWN_WORDS: "{text}",
    Code.STRIKES: ("{count} strike. The last one: {last}", "{count} strikes. The last one: {last}"),
    Code.SUSPENDED_FOR_REFUSED: "A moderator refused a prompt or pictures of yours.",
    Code.STRUCK_FOR_REPORTED: ("A moderator removed pictures of yours that members had reported."),
    Code.PICTURES_RESTORED: "The pictures were restored.",
    Code.PICTURES_REMOVED: "The pictures were removed.",
    Code.PICTURES_REMOVED_WITH_STRIKE: "The pictures were removed, and the member got a strike.",
    Code.APPEAL_GRANTED: "The appeal was granted.",
    Code.APPEAL_DENIED: "The appeal was denied.",
    Code.MODERATOR_LIFTED: "Lifted by a moderator.",
    Code.SETTING: "{name}",
    Code.SETTING_OF_CHANNEL: "{name}, channel {channel_id}",
    Code.STYLE: "{name}",
    Code.RULES_BEYOND_BUDGET: (
        "{count} rule beyond the budget: {rules}",
        "{count} rules beyond the budget: {rules}",
    ),
    Code.UPLOAD_HEIC: (
        "That is a HEIC picture, as iPhones keep them, and this Triptych does not read HEIC. "
        "Nothing was drawn or charged; please send it as a JPEG. On an iPhone, a screenshot of it "
        "will do; for new photos, choose Settings, Camera, Formats, Most Compatible."
    ),
    Code.UPLOAD_OF_OTHER_KIND: (
        "That file ({kind}) is not a picture that can be read here. Nothing was drawn or charged; "
        "please save it as PNG, JPEG or WebP and send that."
    ),
    Code.UPLOAD_OF_OTHER_COLOURS: (
        "That picture keeps its colours in a way that cannot be read here ({mode}). Nothing was "
        "drawn or charged; please save it as a plain PNG or JPEG and send that."
    ),
}
"""With fields as ``str.format`` knows them; two where the first is for a ``count`` of one."""
