"""Texts of group rounds: their messages, forms, and private answers about them."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

# The message of a round that takes phrases
TITLE = Text("## Together: {theme}")
BY_VOTES = Text(
    "Add a short phrase, and vote for the phrases that you like. Those with the most votes go into "
    "the prompt of one picture."
)
ALL_THAT_FIT = Text(
    "Add a short phrase. All phrases go into the prompt of one picture. When the prompt is full, "
    "the round closes."
)
STARTED_BY = Text("Started by <@{starter_id}>")
STYLE = Text("style: {style}")
CLOSES = Text("Closes <t:{at:.0f}:R>")
WORDS_LEFT = Plural(
    "The prompt has room for about {count:,} more word.",
    "The prompt has room for about {count:,} more words.",
)
PROMPT_FULL = Text("The prompt is full, so the votes decide which phrases stay in it.")
PHRASES = Plural("{count:,} phrase", "{count:,} phrases")
PHRASES_FROM = Text("{phrases} from {people}")
PEOPLE = Plural("{count:,} person", "{count:,} people")
WAITING = Plural(
    "{count:,} phrase waits for a moderator.", "{count:,} phrases wait for a moderator."
)
NO_PHRASES = Text("Nobody has added a phrase yet.")
AUTHORS_LATER = Text("The authors are named when the round ends.")
VOTES = Plural("{count:,} vote", "{count:,} votes")
PHRASE_DELETED = Text("(deleted by its author)")
OLDER_PHRASES = Plural(
    "and {count:,} older phrase; “All phrases” shows it",
    "and {count:,} older phrases; “All phrases” shows them",
)
WORDS_WITHHELD = Text("(not shown: the server's AutoMod refused the words of this message)")

# Later states
ASKING = Text(
    "Fewer than two people took part. <@{starter_id}>, should this be drawn anyway? Without an "
    "answer, the round ends <t:{at:.0f}:R>, and nothing is charged."
)
ASK_STARTER = Text(
    "<@{starter_id}>, fewer than two people took part in your round. Should it be drawn anyway? "
    "Please answer with the buttons under [its message]({link})."
)
PROMPT = Text("**Prompt**: {prompt}")
IN_REVIEW = Text("A moderator has to look at this round first.")
VOTE = Text(
    "Which picture is the best? Vote with the buttons. The vote ends <t:{at:.0f}:R>; until then, "
    "you can change your vote."
)
TALLY = Text("Picture {panel}: {votes}")
IN_PROMPT = Text("**In the prompt:**")
WON = Text("**Picture {panel} has won**, with {votes}.")
LOT = Text(
    "Pictures {panels} had the same number of votes, so a lot decided. Its number was {seed:d}: "
    "divided by {count:d}, it leaves {rest:d}. Counted from 0, that is picture {panel}."
)
AUTHORS = Text("Phrases by {authors}")
ANCESTORS = Text("Grown from: {themes}")
PICTURES_GONE = Text("Triptych no longer keeps the pictures of this round.")
PICTURES_REMOVED = Text("A moderator has removed the pictures of this round.")
NOT_ATTACHED = Text(
    "The pictures are drawn, but Discord does not accept them here: I may not attach files, or the "
    "files are too large. A moderator can allow me “Attach Files”."
)
WINNER = Text("**The winner of a round**: {theme}")
WINNER_ALT = Text("The winning picture of the round “{theme}”")
SEE_ROUND = Text("[See the round]({link})")

# Forms. A label has up to 45 characters and a hint up to 100, also in longer languages.
PHRASE_FORM = Text("Add a phrase")
PHRASE_FIELD = Text("Your phrase")
PHRASE_HINT = Text("Up to {most} characters, for example: a sleeping fox")
NEXT_FORM = Text("Next round")
THEME_FIELD = Text("The new theme")
THEME_HINT = Text("The next picture starts from the winner.")
MINUTES_FIELD = Text("Minutes")
MINUTES_HINT = Text("From {least:,} to {most:,}")
REASON_FIELD = Text("Your reason (optional)")
REASON_HINT = Text("It goes into the audit log.")
REASON_HINT_STRIKE = Text("The member reads it.")

# Private answers
OPENED = Text("Your round is open. Its message appears in this channel.")
JOINED = Text("Added: {phrase}. You can take it back until the round closes.")
HELD = Text(
    "A moderator has to look at your phrase first. If they approve it, it joins the round. You can "
    "take it back until then.\nWhy: {reason}"
)
CHOOSE_TO_TAKE_BACK = Text("Which of your phrases do you want to take back?")
NOTHING_TO_TAKE_BACK = Text("You have no phrase in this round, so there is nothing to take back.")
TAKEN_BACK = Text("Taken back: {phrase}. You can add another one.")
CHOOSE_TO_VOTE = Text(
    "Choose the phrases that you would like to see in the picture, as many as you want. You can "
    "change your choice until the round closes."
)
NOTHING_TO_VOTE = Text(
    "There is no phrase yet that you can vote for. Nothing was changed; please look again later."
)
VOTES_SAVED = Plural(
    "Saved: you vote for {count} phrase of this list.",
    "Saved: you vote for {count} phrases of this list.",
)
VOTE_SAVED = Text("Saved: you vote for picture {panel}. You can change that until the vote ends.")
CLOSED = Text("The round is closed. Its message shows what comes next.")
CANCELLED = Text("The round is cancelled. Its message says so to everybody.")
DRAWN_ANYWAY = Text("Thank you. It will be drawn.")
NOT_STARTER = Text(
    "Only the person who started this round and moderators may do this. Nothing was changed."
)
ALL_PHRASES = Text("**All phrases of this round**")
PAGE = Text("Page {page:,} of {num_pages:,}")
NEXT_PAGE = Text("Next page")
PREVIOUS_PAGE = Text("Previous page")
CHOOSE_PHRASES = Text("Choose phrases")
CHOOSE_ONE = Text("Choose a phrase")
CHOOSE_TO_STRIKE = Text("Which phrase do you want to strike out?")
STRIKE_OUT = Text("Strike out")
STRIKE_OUT_WITH_STRIKE = Text("Strike out and give a strike")
CONFIRM_STRIKE = Text(
    "Strike out this phrase? It leaves the round, and its author cannot add another one in its "
    "place. This cannot be undone.\n> {phrase}"
)
BY = Text("By <@{author_id}>")
STRUCK_OUT = Text("Struck out: {phrase}")
STRUCK_OUT_WITH_STRIKE = Text("Struck out, and its author got a strike: {phrase}")

HISTORY = Text("**Finished rounds of this server**")
HISTORY_EMPTY = Text(
    "No round that you can see has ended with a winner here. Start one with `/together start`."
)
HISTORY_PAGE_EMPTY = Text("You cannot see any of the rounds on this page.")
HISTORY_LINE = Text("<t:{at:.0f}:d> {theme}: picture {panel} won with {votes}")

HOW_IT_WORKS = (
    Text("**How a round works**"),
    Text(
        "1. Everybody may add phrases until the round closes. Each phrase passes the same rules as "
        "a prompt. A moderator may have to look at it first."
    ),
    Text(
        "2. If the round goes by votes, you can vote for the phrases of others. Those with the "
        "most votes go into the prompt, as many as fit; of two with the same number, the older "
        "one. Otherwise all phrases go into it, oldest first."
    ),
    Text(
        "3. The prompt is drawn once. The people whose phrases are in it share the cost equally. "
        "If nothing can be shown, nobody pays."
    ),
    Text(
        "4. Everybody may vote for one of the three pictures. If several have the same number of "
        "votes, a lot decides, and its number is shown."
    ),
    Text("5. **Next round** starts again from the winner, with a new theme."),
    Text(
        "Nobody sees who voted for what. You can take back a phrase until the round closes. "
        "`/privacy delete` takes the words of your phrases out later, too; the picture stays."
    ),
)
