"""What members read about their own data."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

ABOUT = Text(
    "**What Triptych keeps about you**\n"
    "• Your prompts with their settings, the pictures, when and where you asked, what each prompt "
    "cost, and the language of your Discord.\n"
    "• Decisions about your prompts, for the moderators of the server in which you asked.\n"
    "• Your reports and appeals, your strikes and suspensions.\n"
    "• Your themes, phrases and votes in rounds, and your shares of their cost.\n"
    "Triptych deletes this data after 90 days; a server can set another time for its own data. "
    "Active strikes and suspensions are kept until they expire. Messages in channels are not "
    "deleted. You can delete them with ⋯ under your pictures or with `/privacy delete`; after "
    "Triptych has deleted its data about them, only a moderator can. Nothing leaves this machine "
    "except what you see in Discord. The owner's daily backups keep deleted data for up to a week "
    "more, and copies from an upgrade, a restore or a lost database for up to 30 days.\n"
    "`/privacy export` gives you this data as a file. `/privacy delete` deletes it."
)
CONFIRM_DELETION = Text(
    "This deletes all your prompts and pictures, in every server and in direct messages, what you "
    "wrote in reports and appeals, and your themes, phrases and votes in rounds. The "
    "pictures of rounds and the phrases of others stay. Prompts that wait or are being drawn are "
    "cancelled. It cannot be undone. Triptych also deletes the messages in channels that show "
    "them, one after another, where it still may.\nThese things stay: the cost of each prompt, "
    "without its words, for one more day, so that quotas hold; the decisions of moderators, "
    "without your words, until each server's time for them is over; and the owner's backups, "
    "for up to a week."
)
DELETE = Text("Delete everything")
DELETED = Plural(
    "Done: the words and pictures of {count:,} prompt are deleted.",
    "Done: the words and pictures of {count:,} prompts are deleted.",
)
MESSAGES_GO = Plural(
    "{count:,} message in a channel is deleted too, in the next minute.",
    "{count:,} messages in channels are deleted too, about 36 a minute. You do not have to wait.",
)
STAYS = Text(
    "What stays: messages in places that Triptych has left or never joined, messages in the "
    "moderators' channels, and the data for decisions and quotas, without your words. If a "
    "message of yours is still there tomorrow, a moderator can delete it."
)
