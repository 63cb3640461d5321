"""Texts about strikes, suspensions and appeals."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

STRUCK = Plural("<@{member_id}> has {count} strike now.", "<@{member_id}> has {count} strikes now.")
LIMIT_REACHED = Text("That reaches the limit of this server.")
NO_STRIKES = Text("<@{member_id}> has no strikes.")
STRIKES_OF = Text("Strikes of <@{member_id}>:")
STRIKE = Text("`#{strike_id}` by <@{given_by}>, expires <t:{lapses_at:.0f}:R>: {reason}")
STRIKE_REMOVED = Text("Strike {strike_id} of <@{member_id}> was removed.")
NO_SUCH_STRIKE = Text("They have no active strike {strike_id}. Nothing was changed.")

SUSPENDED_BY_MODERATOR = Text("Suspended by <@{given_by}> until <t:{ends_at:.0f}:f>: {reason}")
SUSPENDED_BY_STRIKES = Text("Suspended by strikes until <t:{ends_at:.0f}:f>: {reason}")
NOT_SUSPENDED = Text("They are not suspended here. Nothing was changed.")
LIFTED = Text("<@{member_id}> may make pictures again.")

TOLD_STRUCK = Text("You got a strike in **{server}**. It expires <t:{lapses_at:.0f}:f>.")
TOLD_STRIKES = Plural(
    "You have {count} strike there now; a member with {limit} is suspended.",
    "You have {count} strikes there now; a member with {limit} is suspended.",
)
TOLD_STRIKE_REMOVED = Text("Your strike {strike_id} in **{server}** was removed.")
TOLD_SUSPENDED = Text("You cannot make pictures in **{server}** until <t:{ends_at:.0f}:f>.")
TOLD_LIFTED = Text("You may make pictures in **{server}** again.")
TOLD_REMOVED = Text("A moderator of **{server}** removed the pictures of your prompt #{job_id}.")
TOLD_PHRASE_JOINED = Text(
    "A moderator of **{server}** approved your phrase: it is in the round now."
)
TOLD_PHRASE_REFUSED = Text(
    "Your phrase in **{server}** was not approved, so it is not in the round. Nothing was charged; "
    "you can add another one while the round is open."
)
TOLD_PHRASE_LEFT_OUT = Text(
    "A round in **{server}** has closed, and a phrase of yours was left out. You pay nothing for "
    "it."
)
TOLD_ROUND_ENDED = Text("Your round in **{server}** has ended.")
TOLD_WHY = Text("Why: {reason}")
TOLD_BUTTON = Text("You can also appeal once: try to make a picture there and press “Appeal”.")
A_SERVER = Text("a server")
TOLD = Text("The member was told in a direct message.")
NOT_TOLD = Text("The member could not be told in a direct message. Please tell them yourself.")

APPEAL = Text("Appeal")
APPEAL_TITLE = Text("Appeal your suspension")
APPEAL_QUESTION = Text("Why should it end?")
APPEAL_HINT = Text("You can appeal once. A moderator reads this and decides.")
APPEALED = Text("Your appeal was passed on. I will tell you what a moderator decides.")
APPEAL_GRANTED = Text("Your appeal against your suspension in **{server}** was granted.")
APPEAL_DENIED = Text("Your appeal against your suspension in **{server}** was denied.")
NOTHING_TO_APPEAL = Text("There is nothing to appeal here.")
NO_SUSPENSION = Text("You are not suspended here at present, so there is nothing to appeal.")
APPEALED_TWICE = Text(
    "You have already appealed against this suspension, and you can do that only once."
)
NOBODY_SEES_APPEAL = Text(
    "This server has no review channel, so nobody could look at your appeal; you can still make it "
    "later. Please ask a moderator."
)
