"""Texts for the panel of /settings, and for /pause."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

PAGES = {
    "people": Text("Who may prompt, and where"),
    "review": Text("Review, reports and sanctions"),
    "pictures": Text("Picture check"),
    "models": Text("Models"),
    "quotas": Text("Quotas by role"),
    "rounds": Text("Rounds (/together)"),
    "record": Text("Mod log and how long things are kept"),
    "channels": Text("Channels with their own settings"),
}
NAMES = {
    "min_member_days": Text("Days of membership needed"),
    "review_newcomer_days": Text("Days that newcomers are reviewed"),
    "review_hours": Text("Hours until a card expires"),
    "reports_to_hide": Text("Reports that hide a picture"),
    "strikes_to_suspend": Text("Strikes that suspend"),
    "strike_days": Text("Days until a strike expires"),
    "suspension_days": Text("Days of a suspension"),
    "nsfw_threshold": Text("Score that flags a picture"),
    "appeal_line": Text("How to appeal, in your words"),
    "appeal_channel_id": Text("Channel for appeals"),
    "default_model": Text("Model if a member chooses none"),
    "reviewed_models": Text("Models that are always reviewed"),
    "retention_days": Text("Days that data is kept"),
    "moderator_role_ids": Text("Moderator roles"),
    "allowed_role_ids": Text("Roles that may prompt"),
    "allowed_channel_ids": Text("Channels to prompt in"),
    "review_channel_id": Text("Review channel"),
    "mod_log_channel_id": Text("Mod-log channel"),
    "review_everything": Text("Review everything"),
    "picture_action": Text("What happens to a flagged picture"),
    "role_quotas": Text("Quotas by role"),
    "is_paused": Text("Pause"),
    "rounds_on": Text("Rounds"),
    "round_channel_ids": Text("Channels for rounds"),
    "round_role_ids": Text("Roles that may start a round"),
    "max_rounds": Text("Rounds at a time"),
    "review_rounds": Text("Review the prompt of every round"),
    "rounds_anonymous": Text("Hide authors until a round ends"),
    "round_own_votes": Text("Vote for one's own phrase"),
    "round_live_counts": Text("Show counts during the vote"),
    "round_vote_minutes": Text("Minutes to vote on pictures"),
    "showcase_channel_id": Text("Showcase channel"),
}
"""The text for each setting, by the name that is stored."""
QUOTA_NAMES = {
    "max_cost_per_day": Text("Cost in 24 h (1: default prompt)"),
    "max_waiting": Text("Prompts in the queue at once"),
    "weight": Text("Queue weight (1 = as everybody)"),
}
PICTURE_ACTIONS = {
    "refuse": Text("hide it"),
    "hold": Text("hold it for a moderator"),
    "spoiler": Text("show it under a spoiler"),
}

ON = Text("on")
OFF = Text("off")
DEFAULT = Text("default")
NOBODY = Text("nobody")
EVERYBODY = Text("everybody")
EVERYWHERE = Text("in every channel")
NONE = Text("none")
NUMBER = Text("{number:g}")
OWNERS_NUMBER = Text("{number:g} (the owner's)")

VALUE = Text("{name}: **{value}**")
MODERATORS = Text("Moderators besides those with “Manage Messages”: {roles}")
WHO = Text("Who may prompt: {roles}")
WHERE = Text("Where: {channels}")
REVIEW_CHANNEL = Text("Review channel: {channel}")
MOD_LOG = Text("Mod log: {channel}")
REVIEW_ON = Text("Review everything: **on** — every prompt is held until a moderator allows it.")
REVIEW_OFF = Text("Review everything: **off**")
APPEALS = Text("Members who are refused, struck or suspended read: {line}")
CHANGE_LINE = Text("How members appeal")
LINE_HINT = Text("Empty for the default")
LINE_TOO_LONG = Plural(
    "A text may have {count} character. Nothing was changed.",
    "A text may have up to {count} characters. Nothing was changed.",
)
HOLD_MEANS_REFUSE = Text(
    "**No review channel is set, so everything that a moderator should review is refused.**"
)
IS_PAUSED = Text("**Paused**: no new prompts are taken until `/resume`.")
FLAGGED = Text("A flagged picture: **{action}**")
FLAGGED_FROM = Text(
    "A picture is flagged if its score is {threshold:g} or more, as the owner of this bot has "
    "set. A lower number is stricter. Only channels for adults may be less strict."
)
DEFAULT_MODEL = Text("If a member chooses no model, this one draws: **{model}**")
BOTS_DEFAULT = Text("{model} (as the owner of this bot has set)")
WHO_MAY_USE = Text(
    "The owner of this bot decides which models this server and its roles can use; `/models` "
    "shows a member's own. If a member cannot use the model that is chosen here, another one of "
    "theirs draws."
)
CHOOSE_DEFAULT = Text("Model if a member chooses none; choose nothing for the owner's")
REVIEWED_MODELS = Text("Models whose pictures are all held for a moderator: {models}")
WHY_REVIEWED_MODELS = Text(
    "The picture check was made for photographs. If a model draws other pictures, you can "
    "choose it here. Then a moderator sees each of its pictures before the channel does."
)
CHOOSE_MODELS = Text("Models whose pictures are all held")
NEEDS_REVIEW_CHANNEL = Text(
    "Choose a review channel first (under “Review, reports and sanctions”): without one, nobody "
    "could look at these pictures. Nothing was changed."
)
OF_CHANNELS = Text(
    "A channel can have its own values for the picture check and for “Review everything”. "
    "Channels with their own values: {channels}"
)
OWN = Text("Different from the server: {names}")
NOTHING_OWN = Text("All settings are those of the server.")
ABOUT_QUOTAS = Text(
    "A member with several roles gets the best of their quotas, but never more than the owner "
    "of this bot allows. A role without a quota changes nothing."
)
QUOTA = Text("<@&{role_id}>: {quota}")
QUOTA_COST = Text("cost {cost:g} in 24 hours")
QUOTA_WAITING = Plural("{count} in the queue at once", "{count} in the queue at once")
QUOTA_WEIGHT = Text("weight {weight:g}")

ROUND_STARTERS = Text("Who may start a round: {roles}")
ROUND_CHANNELS = Text("Where: {channels}")
SHOWCASE = Text("Showcase for winners: {channel} (only from channels that `@everyone` can see)")
ROUND_SWITCHES = Text("What is switched on")
CANNOT_ATTACH = Text(
    "I cannot post pictures in <#{channel_id}>: give me “View Channel”, “Send Messages” and "
    "“Attach Files” there, then choose it again. Nothing was changed."
)

OTHER_PAGES = Text("Other settings")
CHANGE_NUMBER = Text("Change a number")
CHANGE_QUOTA = Text("Quota of a role")
NUMBER_RANGE = Text("From {low:g} to {high:g}; empty for the default")
CHOOSE_ROLE = Text("Choose a role to change its quota")
CHOOSE_CHANNEL = Text("Choose a channel")
CHOOSE_ACTION = Text("Flagged: {action}")
REVIEW_ALL = Text("Review everything")
STOP_REVIEW_ALL = Text("Turn off “Review everything”")
RESET = Text("Same as the server")

NO_SPOILER = Text(
    "Flagged pictures can be shown under a spoiler only in age-restricted channels. Nothing was "
    "changed."
)
CANNOT_SEND = Text(
    "I cannot write in <#{channel_id}>: give me “View Channel” and “Send Messages” there, then "
    "choose it again. Nothing was changed."
)
NOT_OF_CHANNELS = Text("A channel cannot have its own value for this setting. Nothing was changed.")
TOO_LOOSE = Text(
    "{number:g} is less strict than the {threshold:g} that the owner of this bot has set. Only "
    "channels that Discord restricts to adults may be less strict. Nothing was changed."
)
NOT_A_NUMBER = Text("“{text}” is not a number. Nothing was changed.")
NOT_HERE = Text("This panel is out of date; open /settings again.")
UNKNOWN = Text("There is no setting “{name}”. Nothing was changed.")
NEVER_SHOWN = Text("Flagged pictures cannot be shown without a cover. Nothing was changed.")
TOO_MANY = Plural(
    "The limit is {count}. Nothing was changed.",
    "The limit is {count}. Nothing was changed.",
)
TOO_SMALL = Text(
    "{number:g} is too small for “{name}”: choose from {low:g} to {high:g}. Nothing was changed."
)
TOO_LARGE = Text(
    "{number:g} is too large for “{name}”: choose from {low:g} to {high:g}. Nothing was changed."
)
DOES_NOT_FIT = Text("That value is not allowed ({names}). Nothing was changed.")

PAUSED = Text(
    "Triptych is paused in this server. New prompts are refused; prompts in the queue are still "
    "drawn. `/resume` ends the pause."
)
RESUMED = Text("Triptych takes prompts in this server again.")
ALREADY_PAUSED = Text("Triptych is paused here already. Nothing was changed.")
NOT_PAUSED = Text("Triptych is not paused here. Nothing was changed.")
