"""Texts for moderators on cards and decisions, and for members who report pictures."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

NOT_MODERATOR = Text(
    "Only moderators (Manage Messages, or a role that the server has named) may do this. Nothing "
    "was changed."
)
NOT_MANAGER = Text("Only members with “Manage Server” may do this. Nothing was changed.")
NOT_SERVER_OWNER = Text("Only the owner of this server may do this. Nothing was changed.")
NOT_OWN = Text("You cannot decide about your own prompts and pictures. Nothing was changed.")
NOT_ABOVE = Text(
    "You can do this only to members whose highest role is below your own. Nothing was changed."
)
NOT_OWNER = Text("This cannot be done to the owner of the server. Nothing was changed.")

TITLES = {
    "held": Text("A prompt waits for you"),
    "report": Text("Pictures were reported"),
    "appeal": Text("An appeal against a suspension"),
    "rules": Text("Rules of this server were switched off"),
    "phrase": Text("A phrase for a round waits for you"),
}
"""The title of a card, by its kind."""
PICTURES_WAIT = Text("Pictures wait for you")
BUTTONS = {
    "approve": Text("Approve"),
    "cover": Text("Approve as spoiler"),
    "refuse": Text("Refuse"),
    "suspend": Text("Refuse and suspend"),
    "restore": Text("Restore"),
    "remove": Text("Remove"),
    "strike": Text("Remove and strike"),
    "grant": Text("Grant: lift it"),
    "deny": Text("Deny"),
    "note": Text("Understood"),
}
ASK_REASON = Text("Your reason (optional)")
READ_BY_MEMBER = Text("The member reads it in a direct message.")
READ_BY_CHANNEL = Text("The member reads it, and everybody else in the channel.")
REVEAL = Text("Show me")
BARE = Text(
    "The server's AutoMod refused the words of this card, so they are left out. “Show me” shows "
    "you a prompt; `/rules list` shows the rules."
)
BLURRED = Text("Blurred pictures")
ACTIVE_STRIKES = Plural("{count} strike", "{count} strikes")
WITHOUT = Text("without: {text}")
WHY = Text("Why: {reason}")
THEME = Text("Theme of the round: {theme}")
EXPIRES = Text("Expires <t:{at:.0f}:R>; the first decision counts.")
BEYOND_MORE = Plural(
    "and {count} more; `/rules list` shows them all",
    "and {count} more; `/rules list` shows them all",
)
BEYOND_WHY = Text(
    "There is a limit to what all rules of a server together may cost, so that no other server "
    "has to wait. These rules were added before there was a limit, and they exceed it: **they do "
    "not apply any more**. All other rules still apply. Nothing was deleted. Remove them with "
    "`/rules remove`, and add simpler ones: words instead of patterns, + or * instead of counting."
)
BEYOND_REMOVED = Text("All of them have been removed since then.")

OUTCOMES = {
    "approve": Text("Approved by <@{by}>, <t:{at:.0f}:f>."),
    "cover": Text("Approved as a spoiler by <@{by}>, <t:{at:.0f}:f>."),
    "refuse": Text("Refused by <@{by}>, <t:{at:.0f}:f>."),
    "suspend": Text("Refused by <@{by}>, who also suspended the member, <t:{at:.0f}:f>."),
    "restore": Text("Restored by <@{by}>, <t:{at:.0f}:f>."),
    "remove": Text("Removed by <@{by}>, <t:{at:.0f}:f>."),
    "strike": Text("Removed by <@{by}>, who also gave the member a strike, <t:{at:.0f}:f>."),
    "grant": Text("Granted by <@{by}>, <t:{at:.0f}:f>: the suspension is lifted."),
    "deny": Text("Denied by <@{by}>, <t:{at:.0f}:f>: the suspension stays."),
    "note": Text("Read by <@{by}>, <t:{at:.0f}:f>."),
    "expire": Text("Expired <t:{at:.0f}:f>: nobody decided in time. Nothing was charged."),
    "withdraw": Text("Closed <t:{at:.0f}:f>: the member cancelled the prompt."),
    "unseen": Text("Refused <t:{at:.0f}:f>: the card could not be posted."),
}
DELETE_BY_HAND = Text("I could not reach the message; please delete it by hand.")

FIRST = {
    "approve": Text("<@{by}> was first and approved it. Nothing was changed."),
    "cover": Text("<@{by}> was first and approved it as a spoiler. Nothing was changed."),
    "refuse": Text("<@{by}> was first and refused it. Nothing was changed."),
    "suspend": Text(
        "<@{by}> was first and refused it and suspended the member. Nothing was changed."
    ),
    "restore": Text("<@{by}> was first and restored the picture. Nothing was changed."),
    "remove": Text("<@{by}> was first and removed the picture. Nothing was changed."),
    "strike": Text(
        "<@{by}> was first and removed the picture and gave a strike. Nothing was changed."
    ),
    "grant": Text("<@{by}> was first and granted the appeal. Nothing was changed."),
    "deny": Text("<@{by}> was first and denied the appeal. Nothing was changed."),
    "note": Text("<@{by}> was first and has read it. Nothing was changed."),
}
CLOSED = Text("This card was closed without a moderator, so there is nothing left to decide.")
NOT_ON_RECORD = Text("This card was deleted from the database, so nothing was decided.")
NOT_A_CHOICE = Text("This card cannot be decided like that. Nothing was changed.")
PHRASE_GONE = Text(
    "The phrase was taken back, or its round is closed, so there is nothing left to decide."
)
TAKEN_BACK = Text("The member has cancelled this prompt, so there is nothing left to decide.")
SEALED = Text(
    "This prompt counts as **sexual content about minors**. Nobody can see the prompt or its "
    "pictures, not even blurred. The handbook for moderators says where to report it."
)
SEALED_CHOICE = Text(
    "This prompt counts as sexual content about minors, so nobody can approve or restore it. "
    "Nothing was changed. Choose another button."
)
PICTURES_GONE = Text("These pictures are gone, so there is nothing left to decide.")
NO_PICTURES = Text(
    "There is nothing more to see: nothing has been drawn yet, or the files are gone."
)
PICTURE_GONE = Text(
    "The picture that this is about is gone, so it cannot be approved. Below is the prompt; refuse "
    "it, or let it expire. Nothing was decided."
)
LOOK_FIRST = Text(
    "You have not seen the picture yet. Press “Show me” to look at it, and then decide. Nothing "
    "was decided."
)
READ_FIRST = Text(
    "You have not seen the words of this card yet. Press “Show me” to read them, and then decide. "
    "Nothing was decided."
)
STARTS_BLURRED = Text("It starts from the picture below. “Show me” shows it to you.")
START_GONE = Text(
    "The picture that the prompt starts from is gone, so the prompt cannot be approved any more."
)
WHOLE_PHRASE = Text("theme: {theme}\nphrase: {phrase}\n")
WHOLE_PROMPT = Text("prompt: {prompt}\nnegative prompt: {negative_prompt}\n")

REPORT = Text("Report picture")
REPORT_QUESTION = Text("What is wrong with it?")
REPORT_HINT = Text("Only moderators read this.")
REPORTED = Text("Thank you for your report. I will tell you what a moderator decides.")
NOBODY_SEES_REPORT = Text(
    "This server has no review channel, so nobody would see your report. Nothing was sent; please "
    "tell a moderator."
)
NOT_OUR_PICTURES = Text("This message has no pictures from Triptych that you could report.")
REPORTED_TWICE = Text("You have already reported these pictures; a moderator will see your report.")
REMOVED_ALREADY = Text("These pictures were already removed. Thank you for reporting them.")
TOO_MANY_REPORTS = Plural(
    "You have reported {count} picture within a day, the most one member may. If it is urgent, "
    "please write to a moderator.",
    "You have reported {count} pictures within a day, the most one member may. If it is urgent, "
    "please write to a moderator.",
)
REPORT_RESTORED = Text("A moderator has looked at the picture you reported: it stays. Thank you.")
REPORT_REMOVED = Text(
    "A moderator has looked at the picture you reported: it was removed. Thank you."
)
