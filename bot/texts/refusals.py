"""Why a prompt or a picture was refused or held before it was drawn."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text
from bot.texts.codes import Code

REFUSALS: dict[Code, Text] = {
    Code.PROMPT_EMPTY: Text(
        "The prompt is empty. Say what to draw, for example: dog in autumn leaves."
    ),
    Code.PROMPT_TOO_LONG: Text(
        "The prompt has {length:,} characters; the most is {most:,}. Nothing was drawn or charged; "
        "please shorten it."
    ),
    Code.NEGATIVE_PROMPT_TOO_LONG: Text(
        "The negative prompt has {length:,} characters; the most is {most:,}. Nothing was drawn or "
        "charged; please shorten it."
    ),
    Code.STEPS_OUT_OF_RANGE: Text(
        "Steps must be between {least:,} and {most:,}. Nothing was drawn or charged."
    ),
    Code.OUT_OF_RANGE: Text(
        "{parameter} must be between {least:g} and {most:g}. Nothing was drawn or charged."
    ),
    Code.SEED_OUT_OF_RANGE: Text(
        "The seed must be a whole number between {least:,} and {most:,}. Nothing was drawn or "
        "charged."
    ),
    Code.SIDE_OUT_OF_RANGE: Text(
        "Width and height must be between {least:,} and {most:,} pixels. Nothing was drawn or "
        "charged."
    ),
    Code.STRENGTH_OUT_OF_RANGE: Text(
        "Strength must be more than 0 and at most 1. A low value keeps the picture, a high one "
        "follows the prompt. Nothing was drawn or charged."
    ),
    Code.STRENGTH_WITHOUT_PICTURE: Text(
        "Strength says how much of a picture changes, but you sent no picture. Send one as image, "
        "or leave strength out. Nothing was drawn or charged."
    ),
    Code.SIZE_NOT_READ: Text(
        "That is not a size. Write width x height in pixels, for example 512x768. Nothing was "
        "drawn or charged."
    ),
    Code.SEED_NOT_READ: Text(
        "That is not a seed. Write a whole number from 0 to {most:,}, or leave it out. Nothing was "
        "drawn or charged."
    ),
    Code.SAMPLER_UNKNOWN: Text(
        "There is no such sampler. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.SAMPLER_NEARLY: Text(
        "There is no such sampler. Did you mean “{near}”? Nothing was drawn or charged."
    ),
    Code.SAMPLER_NOT_OF_MODEL: Text(
        "The model {model} cannot use the sampler {sampler}. Choose one of: {known}. Nothing was "
        "drawn or charged."
    ),
    Code.PRESET_UNKNOWN: Text(
        "There is no such preset. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.STYLE_UNKNOWN: Text(
        "There is no such style here. Choose one of: {known}. Nothing was drawn or charged."
    ),
    Code.SIDE_NOT_OF_MODEL: Text(
        "With the model {model}, width and height must be multiples of {multiple}: instead of "
        "{side}, use {lower} or {upper}. Nothing was drawn or charged."
    ),
    Code.AREA_NOT_OF_MODEL: Text(
        "{width}x{height} is too large for the model {model}: it was trained on pictures of "
        "about {own_width}x{own_height}. In pictures with four times as many pixels, it shows "
        "everything twice. Choose a smaller size and press Upscale afterwards. Nothing was "
        "drawn or charged."
    ),
    Code.RECIPE_NEWER: Text(
        "This prompt uses settings of a newer Triptych that this version does not know, so it "
        "cannot be drawn here. Nothing was changed; the owner can install the newer version "
        "again."
    ),
    Code.ALREADY_PRESSED: Text(
        "You have already pressed that, and your prompt is in the queue. Nothing more was "
        "charged; press again when it is done."
    ),
    Code.MAY_NOT_ATTACH: Text(
        "I may not attach files in this channel, so the pictures could not be shown. Nothing was "
        "charged. Ask a moderator to allow me “Attach Files” here, or use another channel."
    ),
    Code.SERVER_PAUSED: Text(
        "The moderators have paused Triptych in this server. What is already in the queue stays "
        "there. Nothing was drawn or charged; please try again later."
    ),
    Code.OTHER_CHANNELS: Text(
        "In this server Triptych draws only in {channels}. Nothing was drawn or charged."
    ),
    Code.OTHER_ROLES: Text(
        "In this server Triptych draws only for members with one of these roles: {roles}. Nothing "
        "was drawn or charged."
    ),
    Code.MEMBER_TOO_NEW: Plural(
        "In this server Triptych draws for members who joined at least {count} day ago. You can "
        "use it <t:{opens:.0f}:R>. Nothing was drawn or charged.",
        "In this server Triptych draws for members who joined at least {count} days ago. You can "
        "use it <t:{opens:.0f}:R>. Nothing was drawn or charged.",
    ),
    Code.MEMBER_OF_UNKNOWN_AGE: Plural(
        "In this server Triptych draws for members who joined at least {count} day ago, and "
        "Discord did not say when you joined. Nothing was drawn or charged.",
        "In this server Triptych draws for members who joined at least {count} days ago, and "
        "Discord did not say when you joined. Nothing was drawn or charged.",
    ),
    Code.SUSPENDED: Text(
        "You are suspended from making pictures here until <t:{until:.0f}:f>. Reason: {why} "
        "Nothing was drawn or charged."
    ),
    Code.RESTARTING: Text(
        "Triptych is about to restart and takes no new prompts. Nothing was charged; please try "
        "again in a minute."
    ),
    Code.ROLES_MAY_NOT_WAIT: Text(
        "Your roles in this server do not let you have a prompt in the queue. Nothing was drawn or "
        "charged; ask a moderator which roles do."
    ),
    Code.MEMBER_WAITS: Plural(
        "You already have {count} prompt in the queue, the most one member may have. Nothing was "
        "charged. Wait for it to finish or /cancel it, then try again.",
        "You already have {count} prompts in the queue, the most one member may have. Nothing was "
        "charged. Wait for one to finish or /cancel one, then try again.",
    ),
    Code.SERVER_WAITS: Plural(
        "This server already has {count} prompt in the queue, the most there may be. Nothing was "
        "charged; please try again in a few minutes.",
        "This server already has {count} prompts in the queue, the most there may be. Nothing was "
        "charged; please try again in a few minutes.",
    ),
    Code.DIRECT_MESSAGES_WAIT: Plural(
        "Direct messages already have {count} prompt in the queue, the most there may be. Nothing "
        "was charged; please try again in a few minutes.",
        "Direct messages already have {count} prompts in the queue, the most there may be. Nothing "
        "was charged; please try again in a few minutes.",
    ),
    Code.QUEUE_FULL: Plural(
        "The queue is full ({count} prompt). Nothing was charged; please try again in a few "
        "minutes.",
        "The queue is full ({count} prompts). Nothing was charged; please try again in a few "
        "minutes.",
    ),
    Code.COST_THIS_HOUR: Text(
        "This prompt would cost {cost:.1f} and you have {left:.1f} of {most:g} left this hour (1 "
        "is one prompt with default settings). Nothing was charged; ask for fewer steps or a "
        "smaller size, or try again later."
    ),
    Code.COST_THIS_DAY: Text(
        "This prompt would cost {cost:.1f} and you have {left:.1f} of {most:g} left in 24 hours (1 "
        "is one prompt with default settings). Nothing was charged; ask for fewer steps or a "
        "smaller size, or try again later."
    ),
    Code.WAIT_TOO_LONG: Text(
        "The wait is about {minutes:.0f} minutes. Triptych is not a member here, so it can answer "
        "for only 15 minutes. Nothing was charged; please try again when the queue is shorter, or "
        "in a server that Triptych has joined."
    ),
    Code.RULE_REFUSES: Text(
        "The rules here do not allow “{text}” in a prompt. Nothing was drawn or charged; change "
        "the prompt and try again."
    ),
    Code.RULE_HOLDS: Text("The rules here hold prompts with “{text}” for a moderator."),
    Code.RULE_COVERS: Text("The rules here cover pictures with “{text}” in the prompt."),
    Code.PATTERN_REFUSES: Text(
        "The rules here do not allow this in a prompt. Nothing was drawn or charged; change the "
        "prompt and try again."
    ),
    Code.PATTERN_HOLDS: Text("The rules here hold prompts like this for a moderator."),
    Code.PATTERN_COVERS: Text("The rules here cover the pictures of prompts like this."),
    Code.RULES_TOO_COSTLY: Text(
        "The rules of this server take too long to read this prompt, so it was refused. Nothing "
        "was drawn or charged; change the prompt, or ask a moderator to make the patterns simpler."
    ),
    Code.MINORS_REFUSED: Text(
        "Triptych draws no sexual content about minors. Nothing was drawn or charged; change the "
        "prompt and try again."
    ),
    Code.MINORS_REFUSED_BEHIND: Text(
        "Triptych draws no sexual content about minors. The earlier prompts that led to your "
        "start picture count, too. Nothing was drawn or charged; change the prompt, or start "
        "from another picture, and try again."
    ),
    Code.MINORS_HELD: Text("This may be sexual content about minors."),
    Code.MINORS_HELD_BEHIND: Text(
        "This may be sexual content about minors. The earlier prompts that led to the start "
        "picture count, too."
    ),
    Code.PEOPLE_REFUSED: Text(
        "Triptych draws no sexual content about real people. Nothing was drawn or charged; change "
        "the prompt and try again."
    ),
    Code.PEOPLE_REFUSED_BEHIND: Text(
        "Triptych draws no sexual content about real people. The earlier prompts that led to "
        "your start picture count, too. Nothing was drawn or charged; change the prompt, or "
        "start from another picture, and try again."
    ),
    Code.PEOPLE_HELD: Text("This may be sexual content about real people."),
    Code.PEOPLE_HELD_BEHIND: Text(
        "This may be sexual content about real people. The earlier prompts that led to the "
        "start picture count, too."
    ),
    Code.SENT_PICTURE_UNDRESSED: Text(
        "Pictures that people send may show real persons, so Triptych draws nothing sexual and "
        "nobody undressed from them. This also applies to pictures that were drawn from such a "
        "picture, and to pictures whose prompts were deleted. Nothing was drawn or charged; "
        "change the prompt, or start from another picture, and try again."
    ),
    Code.EVERYTHING_REVIEWED: Text("Every prompt here is reviewed."),
    Code.NEWCOMERS_REVIEWED: Text("Prompts of new members are reviewed here."),
    Code.NO_REVIEW_HERE: Text(
        "{why} A moderator would have to look at it first, but this place has no review "
        "channel. Nothing was drawn or charged; change the prompt and try again."
    ),
    Code.STARTS_COVERED: Text("The prompt starts from a covered picture."),
    Code.PICTURES_FLAGGED: Text("The picture check has flagged these pictures."),
    Code.MODEL_REVIEWED: Text(
        "In this server, moderators see all pictures of the model {model} before they are posted."
    ),
    Code.PICTURES_UNCHECKED: Text(
        "The picture check does not work, so a moderator has to look at the pictures."
    ),
    Code.UPLOAD_TOO_LARGE: Text(
        "The picture has {size:,.1f} MiB; the limit is {most}. Nothing was drawn or charged; "
        "please send a smaller PNG, JPEG or WebP picture."
    ),
    Code.UPLOAD_TOO_MANY_PIXELS: Text(
        "That picture has too many pixels: the limit for such a file is {side:,} on a side and "
        "{millions} million in all. Nothing was drawn or charged; please send a smaller PNG, "
        "JPEG or WebP picture."
    ),
    Code.UPLOAD_NO_PICTURE: Text(
        "That file is not a picture that Triptych can read. Nothing was drawn or charged; "
        "please send a PNG, JPEG or WebP picture."
    ),
    Code.UPLOAD_HEIC: Text(
        "That is a HEIC picture, the format of iPhones, and this Triptych cannot read HEIC. "
        "Nothing was drawn or charged; please send it as a JPEG. On an iPhone, you can send a "
        "screenshot of it; for new photos, choose Settings, Camera, Formats, Most Compatible."
    ),
    Code.UPLOAD_OF_OTHER_KIND: Text(
        "That file ({kind}) is not a picture that Triptych can read. Nothing was drawn or "
        "charged; please save it as PNG, JPEG or WebP and send that."
    ),
    Code.UPLOAD_OF_OTHER_COLOURS: Text(
        "Triptych cannot read the colour format of that picture ({mode}). Nothing was drawn or "
        "charged; please save it as a plain PNG or JPEG and send that."
    ),
    Code.UPLOAD_DAMAGED: Text(
        "That picture is damaged and cannot be read. Nothing was drawn or charged; please send a "
        "PNG, JPEG or WebP picture."
    ),
    Code.UPLOAD_MOVES: Text(
        "Animated pictures cannot be used. Nothing was drawn or charged; please send a still PNG, "
        "JPEG or WebP picture."
    ),
    Code.UPLOAD_TOO_SLOW: Text(
        "That picture takes too long to open. Nothing was drawn or charged; please save it as a "
        "plain PNG or JPEG and send that."
    ),
    Code.UPLOAD_NOT_OPENED: Text(
        "That picture is damaged or takes too much memory to open. Nothing was drawn or charged; "
        "please save it as a plain PNG or JPEG and send that."
    ),
    Code.UPLOAD_NO_TURN: Text(
        "Your picture was not opened: too many others came first, or Triptych is being restarted. "
        "Nothing was drawn or charged; please send it again in a minute."
    ),
    Code.UPLOAD_FLAGGED: Text(
        "The picture check flagged the picture you sent, so it was not used. Nothing was drawn or "
        "charged; please start from another one."
    ),
    Code.UPLOAD_UNCHECKED: Text(
        "The picture check does not work at present, so you cannot send pictures. Nothing was "
        "drawn or charged; please tell the owner, who can read more in the log."
    ),
    Code.TOO_BUSY: Text(
        "This was not done, because Triptych could not save it in time. Nothing was changed, "
        "drawn or charged; please try again in a moment."
    ),
    Code.TOO_FAST: Text(
        "You use Triptych faster than it can answer one person, so this was not done. Nothing was "
        "changed or charged; you can go on <t:{opens:.0f}:R>."
    ),
    Code.TOO_MANY_REFUSED: Text(
        "Many of your prompts were refused in a short time, so Triptych did not read this one. "
        "Nothing was drawn or charged. Please read why they were refused; you can try again "
        "<t:{opens:.0f}:R>."
    ),
    Code.NOT_READ: Plural(
        "{count:,} more prompt was refused without reading it, because so many before it were "
        "refused.",
        "{count:,} more prompts were refused without reading them, because so many before them "
        "were refused.",
    ),
    Code.HEAVY_WORK_GOES_ON: Text(
        "Triptych is still working on your last request, so it did not start this one. Please "
        "wait until that is done."
    ),
    Code.HEAVY_WORK_SPENT: Text(
        "You have asked for this several times within an hour. It takes much work, so it was "
        "not done again. Nothing was lost; you can ask for it again <t:{opens:.0f}:R>."
    ),
    Code.UPLOAD_NOT_FETCHED: Text(
        "Triptych could not download the picture you sent from Discord, so nothing was drawn "
        "or charged. Please send it again."
    ),
    Code.MODEL_UNKNOWN: Text(
        "You cannot use a model of that name here. Choose one of: {known}. Nothing was drawn or "
        "charged."
    ),
    Code.MODEL_SEVERAL: Text(
        "The names of several models begin like that. Choose one of: {known}. Nothing was drawn "
        "or charged."
    ),
    Code.MODEL_NONE: Text(
        "There is no model here that you may use. Nothing was drawn or charged; ask a moderator "
        "which roles may use one."
    ),
    Code.MODEL_DEFAULT_GONE: Text(
        "{model}, the usual model of this server, cannot be used here now, so {instead} draws in "
        "its place."
    ),
    Code.MODEL_GONE: Text(
        "The owner of this bot has removed the model {model}. Nothing was drawn or charged; "
        "`/models` shows which models you can use."
    ),
    Code.PERSON_MODEL_UNDRESSED: Text(
        "This model was trained on pictures of a real person, so Triptych draws nothing sexual "
        "and nobody undressed with it. This also applies to pictures that were drawn from a "
        "picture of this model. Nothing was drawn or charged; change the prompt, or choose "
        "another model, and try again."
    ),
    Code.NO_MODEL_EDITS: Text(
        "No model that you can use here can edit pictures, or the one that can is not loaded yet. "
        "Nothing was drawn or charged; `/models` shows the models."
    ),
    Code.OTHERS_EDIT: Text(
        "The model {model} cannot edit pictures. Choose one of: {known}. Nothing was drawn or "
        "charged."
    ),
    Code.MODEL_EDITS_NOTHING: Text(
        "The model {model} cannot edit pictures. Nothing was drawn or charged; `/models` shows "
        "which models you can use."
    ),
    Code.MODEL_ONLY_EDITS: Text(
        "The model {model} only changes pictures, with `/edit`; it cannot draw from a prompt. "
        "Nothing was drawn or charged; `/models` shows which models you can use."
    ),
    Code.OTHERS_DRAW: Text(
        "The model {model} only changes pictures, with `/edit`. To draw from a prompt, choose one "
        "of: {known}. Nothing was drawn or charged."
    ),
}
