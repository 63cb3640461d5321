"""Answers of /rules, and reasons why a rule cannot be used."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

KINDS = {
    "word": Text("word “{text}”"),
    "phrase": Text("phrase “{text}”"),
    "pattern": Text("pattern “{text}”"),
}
RULES = {
    "refuse": Text("{what} → refuse"),
    "hold": Text("{what} → hold"),
    "spoiler": Text("{what} → spoiler"),
}
"""The description of a rule, by its action. what: a text of ``KINDS``."""
EXCEPT = Text("{rule}, but not in {shown}")
EXCEPT_MORE = Plural(
    "{rule}, but not in {shown} and {count} more", "{rule}, but not in {shown} and {count} more"
)
BUILT_IN = {
    "built-in: sexual content about minors": Text("built-in: sexual content about minors"),
    "built-in: sexual content about real people": Text(
        "built-in: sexual content about real people"
    ),
    "rules that take too long": Text("rules that take too long"),
    "review everything": Text("review everything"),
    "review new members": Text("review new members"),
    "review rounds": Text("review rounds"),
    "picture check": Text("picture check"),
    "suspended": Text("suspended"),
}
"""The names of the built-in rules, by the name that is stored."""
FORMS = {
    "as typed": Text("as typed"),
    "look-alike letters": Text("look-alike letters"),
    "joined letters": Text("joined letters"),
    "leetspeak": Text("leetspeak"),
    "upside down": Text("upside down"),
    "squeezed repeats": Text("squeezed repeats"),
    "masked letters": Text("masked letters"),
    "digits cut off": Text("digits cut off"),
}
"""How a word was disguised, by the name of the form."""

NO_RULES = Text(
    "This server has no rules of its own. The words that the owner of this bot blocks and the "
    "built-in classes (sexual content about minors or real people) always apply. Add a rule "
    "with `/rules add`, or copy the rules of AutoMod with `/rules import-automod`."
)
LISTED = Plural(
    "**{count:,} rule**, page {page} of {num_pages}",
    "**{count:,} rules**, page {page} of {num_pages}",
)
LISTED_BEYOND = Plural(
    "{count:,} rule over the limit for a server, **switched off**",
    "{count:,} rules over the limit for a server, **switched off**",
)
SWITCHED_OFF = Text("{rule} · **off**")
NEXT_PAGE = Text("Next: `/rules list page:{page}`")
ADDED = Text("Added `#{rule_id}` {rule}.")
ADDED_MANY = Plural("Added {count:,} rule.", "Added {count:,} rules.")
SOME_IN_FORCE = Plural("{count:,} was there already.", "{count:,} were there already.")
ALL_IN_FORCE = Plural(
    "This server already has that rule. Nothing was changed.",
    "This server already has all {count:,} rules. Nothing was changed.",
)
REMOVED = Text("Removed `#{rule_id}` {rule}.")
NO_SUCH_RULE = Text("There is no such rule here any more. Nothing was changed.")
NOT_A_FILE = Text(
    "That file cannot be read. It should be JSON as `/rules export` writes it, at most 1 MB. "
    "Nothing was changed."
)

VERDICTS = {
    "allow": Text("**Allowed**"),
    "spoiler": Text("**Covered with a spoiler**"),
    "hold": Text("**Held for a moderator**"),
    "refuse": Text("**Refused**"),
}
VERDICTS_BY = {
    "spoiler": Text("**Covered with a spoiler** by “{rule}”"),
    "hold": Text("**Held for a moderator** by “{rule}”"),
    "refuse": Text("**Refused** by “{rule}”"),
}
HOW_READ = Text("How it was read")
FOUND = Text("Rules that were found")
FOUND_NONE = Text("none")
EXCEPTED = Text("{finding} — allowed by an exception")
NO_LANE = Text("There is no review channel (/settings), so prompts that would be held are refused.")
SEALED = Text("(sexual content about minors: shown to nobody)")
PREVIEWED = Plural(
    "It was tried on the last {count:,} stored prompt of this server.",
    "It was tried on the last {count:,} stored prompts of this server.",
)
WOULD_BE = {
    "spoiler": Plural(
        "**{count:,}** would have been covered with a spoiler.",
        "**{count:,}** would have been covered with a spoiler.",
    ),
    "hold": Plural(
        "**{count:,}** would have been held for a moderator.",
        "**{count:,}** would have been held for a moderator.",
    ),
    "refuse": Plural(
        "**{count:,}** would have been refused.", "**{count:,}** would have been refused."
    ),
}
NOTHING_SAVED = Text("Nothing was saved: `/rules add` does that.")

AUTOMOD_NEEDS_PERMISSION = Text(
    "To read this server's AutoMod rules I need the permission “Manage Server” for a moment: give "
    "it to my role, run this again, and take it away afterwards. Nothing was changed."
)
NO_AUTOMOD_RULES = Text("AutoMod has no keyword rules here. Nothing was changed.")
NOT_COPIED = Text("Not copied:")
NOT_COPIED_KIND = Text("“{name}”: only keyword rules can be copied")
NOT_COPIED_OFF = Text("“{name}”: it is switched off")
NOT_COPIED_EXEMPT = Text(
    "“{name}”: its exempt roles and channels (the copied rules apply to everybody)"
)
NOT_COPIED_TIMEOUTS = Text("“{name}”: its time-outs")
NOT_COPIED_STARS = Text("“{name}”: allowed words with a * in them")
NOT_COPIED_FAULT = Text("“{name}”: “{text}”, because {fault}")

UNUSABLE = Text("This cannot be used: {fault}. Nothing was changed.")
UNUSABLE_RULE = Text("This rule cannot be used: {fault}. Nothing was changed.")
UNUSABLE_FILE = Text("These rules cannot be used:\n{faults}\nNothing was changed.")
BUSY = Text(
    "Rules cannot be checked at the moment: others are waiting, or these took too long. Nothing "
    "was changed; please try again in a minute, with fewer rules or simpler patterns."
)
UNWEIGHED = Text(
    "The rules of this server cannot be read at the moment. Nothing was drawn or charged; "
    "please try again in a minute. If this lasts, tell the owner, who can read more in the log."
)

# What can be wrong with a rule. Each text is shown after a colon.
FAULT_OF_RULE = Text("rule {number}: {fault}")
NOT_JSON = Text("not JSON: {fault}")
NO_LIST_OF_RULES = Text('must be an object like {{"rules": [{{"kind": "word", "text": "…"}}]}}')
TOO_MANY_RULES = Plural(
    "{count:,} rule; the limit is {most:,}",
    "{count:,} rules; the limit is {most:,}",
)
NOT_AN_OBJECT = Text("must be an object")
UNKNOWN_KEYS = Text("has unknown keys: {keys}")
EXCEPTIONS_NOT_A_LIST = Plural(
    "exceptions must be a list of at most {count} text",
    "exceptions must be a list of at most {count} texts",
)
NOT_A_CHOICE = Text("{key} must be one of {choices}")
NOT_VISIBLE_TEXT = Plural(
    "{key} must be visible text of at most {count} character",
    "{key} must be visible text of at most {count} characters",
)
OVER_BUDGET = {
    "rules": Plural(
        "together they exceed the limit of {count:,} rule",
        "together they exceed the limit of {count:,} rules",
    ),
    "steps": Plural(
        "together their patterns exceed the limit of {count:,} step",
        "together their patterns exceed the limit of {count:,} steps",
    ),
    "letters": Plural(
        "together they exceed the limit of {count:,} character",
        "together they exceed the limit of {count:,} characters",
    ),
}
OVER_WHAT_IS_LEFT = {
    "rules": Plural(
        "together they exceed the {count:,} rule that is left ({used:,} of {most:,} are used)",
        "together they exceed the {count:,} rules that are left ({used:,} of {most:,} are used)",
    ),
    "steps": Plural(
        "together their patterns exceed the {count:,} step that is left ({used:,} of {most:,} "
        "are used)",
        "together their patterns exceed the {count:,} steps that are left ({used:,} of "
        "{most:,} are used)",
    ),
    "letters": Plural(
        "together they exceed the {count:,} character that is left ({used:,} of {most:,} are used)",
        "together they exceed the {count:,} characters that are left ({used:,} of {most:,} are "
        "used)",
    ),
}
PATTERN_REFUSED = Text("the pattern {pattern} cannot be used: {fault}")
PATTERN_TOO_SLOW = Text(
    "the pattern {pattern} cannot be used: it takes too long to compile; leave out what it does "
    r"not need, such as {{0}}, and use fewer classes like \PL"
)
PATTERN_TOO_LARGE = Plural(
    "the pattern {pattern} cannot be used: it is too large ({count:,} step; the limit is "
    "{most:,}); write + or * instead of counting",
    "the pattern {pattern} cannot be used: it is too large ({count:,} steps; the limit is "
    "{most:,}); write + or * instead of counting",
)
TOO_MANY = Text(
    "This server has {present:,} rules, so {fresh:,} more are too many: the limit is {most:,}. "
    "Nothing was changed."
)
