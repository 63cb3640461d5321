"""Names and descriptions of commands, their options and their choices.

Discord gets the English texts, and the translations that ``bot/chat/translator.py`` finds.
Discord allows 100 characters for a description, and 100 for the name of a choice.
"""

from __future__ import annotations

from bot.texts.catalog import Name, Text

# For everybody
IMAGINE = Text("Draw three pictures from your words")
IMAGINE_OPTIONS = {
    "prompt": Text("What to draw, for example: dog in autumn leaves"),
    "negative_prompt": Text("What to avoid"),
    "model": Text("Which model draws; /models shows what you can use here"),
    "steps": Text("More steps take longer and can show more detail"),
    "guidance": Text("How closely to follow the prompt"),
    "seed": Text("The same seed draws the same pictures again"),
    "size": Text("Width x height in pixels"),
    "sampler": Text("The noise algorithm"),
    "clip_skip": Text("How many of the text encoder's last layers to leave out"),
    "preset": Text("A ready-made choice of sampler, steps and guidance"),
    "style": Text("One of the styles of this server"),
    "image": Text("A picture to start from: PNG, JPEG, WebP or AVIF"),
    "strength": Text("With a picture: 0.1 keeps it, 1 keeps nothing of it"),
}
PRESETS = {
    "quality": Text("quality: the model's own sampler and steps, as in diffusers"),
    "fast": Text("fast: DPM++ 2M Karras, 20 steps; quicker, but different pictures"),
}
EDIT = Text("Change a picture of yours as you say")
EDIT_OPTIONS = {
    "picture": Text("The picture to change: PNG, JPEG, WebP or AVIF"),
    "instruction": Text("What to change, for example: make it winter"),
    "model": Text("The model that draws, if there are several"),
}
GALLERY = Text("Your own pictures, newest first")
RECIPE = Text("How the pictures in a message were made")
RECIPE_OPTIONS = {"link": Text("Right-click the message → Copy Message Link")}
TOGETHER = Text("Rounds: many people write one prompt and choose the best picture")
TOGETHER_START = Text("Start a round in this channel")
TOGETHER_OPTIONS = {
    "theme": Text("What the picture is about, for example: a market on the moon"),
    "minutes": Text("How long people can add phrases: 2 to 1440 minutes, usually 10"),
    "phrases": Text("How many phrases each person may add, usually 2"),
    "chosen_by": Text("Which phrases go into the prompt"),
    "anonymous": Text("Whether the authors are hidden until the round ends"),
    "style": Text("One of the styles of this server"),
    "size": Text("Width x height in pixels"),
}
CHOSEN_BY = {
    "votes": Text("votes: those with the most votes"),
    "all": Text("all: every phrase, until the prompt is full"),
}
TOGETHER_HISTORY = Text("The finished rounds of this server and their winners")
MODELS = Text("The models that you can use here, with sizes, waits and licences")
QUEUE = Text("The queue, and what is left of your quota")
CANCEL = Text("Cancel one of your prompts, or all of them")
HELP = Text("What Triptych does and how to ask")
PRIVACY = Text("Your own data")
PRIVACY_ABOUT = Text("What Triptych keeps about you, and for how long")
PRIVACY_EXPORT = Text("Get everything that Triptych keeps about you as a file")
PRIVACY_DELETE = Text("Delete your prompts and pictures; asks you to confirm")

# For moderators and managers of a server
STATUS = Text("The state of Triptych: queue, waiting times, engine")
SETTINGS = Text("What Triptych may do in this server")
PAUSE = Text("Take no new prompts in this server until /resume")
RESUME = Text("Take prompts in this server again")

STYLE = Text("The styles of this server")
STYLE_SAVE = Text("Add a style, or change one")
STYLE_SAVE_OPTIONS = {
    "name": Text("Lower-case letters, digits, spaces and hyphens"),
    "before": Text("Put before the prompt"),
    "after": Text("Put after the prompt"),
    "negative_prompt": Text("What to avoid"),
    "sampler": Text("Used if the member chooses none"),
    "steps": Text("Used if the member chooses none"),
}
STYLE_REMOVE = Text("Remove a style from this server")
STYLE_REMOVE_OPTIONS = {"name": Text("Which one")}
STYLE_LIST = Text("The styles that /imagine offers here")

SUSPEND = Text("Suspend a member from making pictures")
SUSPEND_OPTIONS = {
    "member": Text("The member"),
    "days": Text("For how many days"),
    "reason": Text("What the member reads about it"),
}
UNSUSPEND = Text("Let a suspended member make pictures again")
UNSUSPEND_OPTIONS = {"member": Text("The member")}
STRIKE = Text("Strikes of members")
STRIKE_ADD = Text("Give a member a strike")
STRIKE_ADD_OPTIONS = {
    "member": Text("Who gets it"),
    "reason": Text("What the member may read about it"),
}
STRIKE_LIST = Text("Show the active strikes of a member")
STRIKE_LIST_OPTIONS = {"member": Text("Whose strikes")}
STRIKE_REMOVE = Text("Take a strike back")
STRIKE_REMOVE_OPTIONS = {
    "member": Text("Whose strike"),
    "number": Text("Its number in /strike list"),
}

RULES = Text("Text rules of this server")
RULES_ADD = Text("Add a rule that every prompt here must pass")
RULES_ADD_OPTIONS = {
    "kind": Text("How the text is read. Words and phrases also match if disguised"),
    "text": Text("What to look for"),
    "action": Text("What happens to a prompt that has it"),
    "exceptions": Text("Phrases in which it is allowed, separated by commas"),
}
RULE_KINDS = {
    "word": Text("word, never inside another word"),
    "phrase": Text("phrase of several words"),
    "pattern": Text("pattern in RE2 syntax"),
}
RULE_ACTIONS = {
    "refuse": Text("refuse the prompt"),
    "hold": Text("hold it for a moderator"),
    "spoiler": Text("cover the pictures with a spoiler"),
}
RULES_REMOVE = Text("Remove one of this server's rules")
RULES_REMOVE_OPTIONS = {"rule": Text("Start to type, and choose from the list")}
RULES_LIST = Text("Show this server's rules")
RULES_LIST_OPTIONS = {"page": Text("The first page is 1")}
RULES_IMPORT = Text("Add the rules in a file to those of this server")
RULES_IMPORT_OPTIONS = {"file": Text("JSON as /rules export writes it")}
RULES_EXPORT = Text("Get this server's rules as a file")
RULES_TEST = Text("Test a prompt: how it is read, and which rules match")
RULES_TEST_OPTIONS = {"prompt": Text("Nobody else sees it, and nothing is drawn")}
RULES_PREVIEW = Text("Show what a rule would have done to the last 500 prompts here")
RULES_PREVIEW_OPTIONS = RULES_ADD_OPTIONS | {
    "action": Text("What would happen to a prompt that has it")
}
RULES_IMPORT_AUTOMOD = Text("Copy the keyword lists of Discord's AutoMod")

AUDIT = Text("Decisions in this server, and who made them")
AUDIT_SEARCH = Text("Search the decisions made in this server")
AUDIT_SEARCH_OPTIONS = {
    "member": Text("Whose prompts or pictures it was about"),
    "moderator": Text("Who decided"),
    "rule": Text("The text of the rule"),
    "since": Text("A date like 2026-11-01, or 12h, 30d, 4w"),
}
AUDIT_EXPORT = Text("Get this server's audit log as a file; only for its owner")
AUDIT_EXPORT_OPTIONS = {
    "format": Text("What kind of file"),
    "since": Text("The earliest time: a date, 12h, 30d, 4w"),
}
AUDIT_FORMATS = {"csv": Text("CSV"), "json": Text("JSON")}

NAMES = (
    Name("command", "about"),
    Name("command", "add"),
    Name("command", "audit"),
    Name("command", "cancel"),
    Name("command", "delete"),
    Name("command", "edit"),
    Name("command", "export"),
    Name("command", "gallery"),
    Name("command", "help"),
    Name("command", "history"),
    Name("command", "imagine"),
    Name("command", "import"),
    Name("command", "import-automod"),
    Name("command", "list"),
    Name("command", "models"),
    Name("command", "pause"),
    Name("command", "preview"),
    Name("command", "privacy"),
    Name("command", "queue"),
    Name("command", "recipe"),
    Name("command", "Recipe"),
    Name("command", "Remix"),
    Name("command", "remove"),
    Name("command", "Report picture"),
    Name("command", "resume"),
    Name("command", "rules"),
    Name("command", "save"),
    Name("command", "search"),
    Name("command", "settings"),
    Name("command", "start"),
    Name("command", "status"),
    Name("command", "strike"),
    Name("command", "style"),
    Name("command", "suspend"),
    Name("command", "test"),
    Name("command", "together"),
    Name("command", "unsuspend"),
    Name("option", "action"),
    Name("option", "after"),
    Name("option", "anonymous"),
    Name("option", "before"),
    Name("option", "chosen_by"),
    Name("option", "clip_skip"),
    Name("option", "days"),
    Name("option", "exceptions"),
    Name("option", "file"),
    Name("option", "format"),
    Name("option", "guidance"),
    Name("option", "image"),
    Name("option", "instruction"),
    Name("option", "kind"),
    Name("option", "link"),
    Name("option", "member"),
    Name("option", "minutes"),
    Name("option", "model"),
    Name("option", "moderator"),
    Name("option", "name"),
    Name("option", "negative_prompt"),
    Name("option", "number"),
    Name("option", "page"),
    Name("option", "phrases"),
    Name("option", "picture"),
    Name("option", "preset"),
    Name("option", "prompt"),
    Name("option", "reason"),
    Name("option", "rule"),
    Name("option", "sampler"),
    Name("option", "seed"),
    Name("option", "since"),
    Name("option", "size"),
    Name("option", "steps"),
    Name("option", "strength"),
    Name("option", "style"),
    Name("option", "text"),
    Name("option", "theme"),
)
"""The names of commands, groups, options and entries of a message's menu, as people type them."""
