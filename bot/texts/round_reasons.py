"""Why something in a round was refused, and how rounds end."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text
from bot.texts.codes import Code

ROUNDS: dict[Code, Text] = {
    Code.ROUNDS_OFF: Text(
        "Rounds are switched off in this server. Nothing was started; somebody who may manage the "
        "server can switch them on with `/settings`."
    ),
    Code.ROUND_OTHER_CHANNELS: Text(
        "Rounds are not allowed in this channel. Nothing was started; try {channels}."
    ),
    Code.ROUND_OTHER_ROLES: Text(
        "Here, only people with one of these roles may start a round: {roles}. Nothing was "
        "started; you can still take part in the rounds of others."
    ),
    Code.ROUND_NEEDS_BOT: Text(
        "Triptych may not post messages in this channel, and a round needs one. Nothing was "
        "started; try another channel, or ask somebody who manages the server."
    ),
    Code.ROUND_RUNS_HERE: Text(
        "There is already a round in this channel. Nothing was started; take part in that round, "
        "or wait until it is over."
    ),
    Code.ROUNDS_AT_ONCE: Plural(
        "This server may have only {count} round at a time. Nothing was started; please wait until "
        "the round is over.",
        "This server may have only {count} rounds at a time. Nothing was started; please wait "
        "until one of them is over.",
    ),
    Code.ROUND_MINUTES: Text(
        "A round must last between {least:,} and {most:,} minutes. Nothing was started."
    ),
    Code.ROUND_PHRASES_EACH: Text(
        "Each member may add between {least:,} and {most:,} phrases. Nothing was started."
    ),
    Code.THEME_EMPTY: Text(
        "The theme is empty. Nothing was started; say what the picture is about, for example: a "
        "market on the moon."
    ),
    Code.THEME_TOO_LONG: Text(
        "The theme has {length:,} characters; the most is {most:,}. Nothing was started; please "
        "shorten it."
    ),
    Code.THEME_NO_ROOM: Text(
        "The model reads only short prompts, and this theme leaves no room for phrases. Nothing "
        "was started; please shorten the theme, or leave out the style."
    ),
    Code.THEME_NEEDS_REVIEW: Text(
        "A moderator would have to look at this theme first, so no round was started. Please "
        "choose another theme. The reason: {why}"
    ),
    Code.NO_WINNER: Text(
        "That round has no winner, or its winning picture is not there any more, so no round can "
        "start from it. Nothing was started; you can start a new round with `/together start`."
    ),
    Code.ROUND_UNKNOWN: Text(
        "Triptych does not know this round. It may be so old that it was deleted. Nothing was "
        "changed."
    ),
    Code.ROUND_NOT_OPEN: Text(
        "This round takes no more phrases and no more votes for them. Nothing was changed; the "
        "message of the round shows what comes next."
    ),
    Code.ROUND_NOT_ASKING: Text(
        "This round does not wait for an answer any more. Nothing was changed."
    ),
    Code.ROUND_OVER: Text("This round is over already. Nothing was changed."),
    Code.PHRASE_EMPTY: Text(
        "The phrase is empty, so it was not added. Write a few words, for example: a sleeping fox."
    ),
    Code.PHRASE_TOO_LONG: Text(
        "The phrase has {length:,} characters; the most is {most:,}. It was not added; please "
        "shorten it."
    ),
    Code.PHRASE_DOUBLE: Text(
        "This round already has the same phrase, so yours was not added. You can add a different "
        "one."
    ),
    Code.PHRASE_IN_COMPANY: Text(
        "The phrase would be allowed alone, but not together with the theme and the other phrases, "
        "so it was not added. You can add another phrase. The reason: {why}"
    ),
    Code.PHRASES_SPENT: Plural(
        "In this round, each member may add only {count} phrase, and you already have one. This "
        "phrase was not added. You can first take the other one back, unless a moderator struck it "
        "out.",
        "In this round, each member may add only {count} phrases, and you already have that many. "
        "This phrase was not added. You can first take another one back, unless a moderator struck "
        "it out.",
    ),
    Code.PHRASE_NO_ROOM: Plural(
        "The prompt has room for about {count} more word, so the phrase was not added. Please "
        "shorten it.",
        "The prompt has room for about {count} more words, so the phrase was not added. Please "
        "shorten it.",
    ),
    Code.PHRASES_FULL: Plural(
        "This round has {count:,} phrase, the most it may have, so yours was not added. You can "
        "vote for one of them.",
        "This round has {count:,} phrases, the most it may have, so yours was not added. You can "
        "vote for one of them.",
    ),
    Code.PHRASE_UNKNOWN: Text("This phrase is not in the round any more. Nothing was changed."),
    Code.PHRASE_NOT_YOURS: Text(
        "Somebody else added this phrase, so only they can take it back. Nothing was changed."
    ),
    Code.NOT_VOTING: Text(
        "The vote about these pictures is over, or it has not begun. Nothing was changed."
    ),
    Code.NO_SUCH_PANEL: Text(
        "You cannot vote for this picture: it is hidden, or there is none with this number. "
        "Nothing was changed."
    ),
    Code.SEVERAL_AUTHORS: Text(
        "Several people wrote this prompt, so there is no single member to strike or suspend. "
        "Nothing was changed. Refuse or remove the pictures, and use `/strike` for members."
    ),
    Code.ROUND_REVIEWED: Text(
        "In this server, a moderator must approve the prompt of every round."
    ),
    Code.AUTHOR_WITHOUT_SHARE: Text(
        "The authors of a round share its cost, and you have used up your quota for now."
    ),
    Code.PHRASE_STRUCK: Text("A moderator struck out a phrase in a round."),
    Code.ROUND_EMPTY: Text(
        "The round ended without a phrase that can be drawn. Nothing was drawn or charged."
    ),
    Code.ROUND_NOT_CONFIRMED: Text(
        "Fewer than two people took part, and nobody answered that the prompt should be drawn "
        "anyway. Nothing was drawn or charged."
    ),
    Code.ROUND_CANCELLED: Text("The round was cancelled. No more is drawn or charged."),
    Code.ROUND_OUT_OF_REACH: Text(
        "The message of the round was deleted, or Triptych may not change it any more, so the "
        "round has ended. Nothing was drawn or charged. Why: {why}"
    ),
    Code.ROUND_NO_SHARES: Text(
        "All authors have used up their quotas for now, so the round ended without pictures. "
        "Nothing was charged."
    ),
    Code.ROUND_WITHOUT_PICTURES: Text(
        "The pictures of this round are hidden or were removed, so there is no winner."
    ),
}
