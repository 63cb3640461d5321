"""Texts about recipes, the forms that change them, the gallery and the styles."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

PARAMETERS = {
    "clip_skip": Text("Clip skip"),
    "guidance_scale": Text("Guidance scale"),
}
"""The names of parameters in sentences, if the stored name is not good enough."""

# Under a grid
SMALL_LINE = Plural(
    "{model} · {sampler} · {count} step · guidance {guidance} · {size} · seed {seed}",
    "{model} · {sampler} · {count} steps · guidance {guidance} · {size} · seed {seed}",
)
SINGLE_LINE = Text("Picture {panel} of #{job_id} · seed {seed}")
WITHOUT = Text("without: {negative_prompt}")
WORDS_CUT = Text("Too long for the model, so these words were cut: {words}")
NEGATIVE_WORDS_CUT = Text(
    "The negative prompt was too long, so these words of it were cut: {words}"
)
WORDS_UNKNOWN = Plural(
    "The starter model knows {count:,} thing; it does not know {words}, and draws only the rest.",
    "The starter model knows {count:,} things; it does not know {words}, and draws only the rest.",
)
NO_WORD_KNOWN = Plural(
    "The starter model knows {count:,} thing, by its English name; it does not know {words}. Try "
    "words like: dog in autumn leaves",
    "The starter model knows {count:,} things, by their English names; it does not know {words}. "
    "Try words like: dog in autumn leaves",
)
GUIDED = Text("{scale:g}")
GUIDED_UNTIL = Text("{scale:g} for {share:.0f} % of the steps")
FROM_PICTURE = Text("from picture {panel} of #{job_id}, strength {strength:g}")
FROM_ENLARGED = Text("×2 from picture {panel} of #{job_id}, strength {strength:g}")
UPSCALED = Text("×{factor} from picture {panel} of #{job_id}, by {upscaler}")
SHOWN_ENLARGED = Text(
    "drawn at {size}, shown ×{factor} by {upscaler}; for the drawn size, open one picture and "
    "press Original size"
)
EDITED_PICTURE = Text("edited from picture {panel} of #{job_id}")
EDITED_UPLOAD = Text("edited from a picture that the member sent")
FROM_UPLOAD = Text("from a picture that the member sent, strength {strength:g}")

# A whole recipe
TITLE = Text("Recipe of #{job_id}")
PROMPT = Text("prompt: {prompt}")
NEGATIVE_PROMPT = Text("negative prompt: {negative_prompt}")
NO_NEGATIVE_PROMPT = Text("negative prompt: none")
SEEDS = Text("seeds: {seeds}")
SETTINGS = Text(
    "size: {size} · steps: {steps} · guidance: {guidance} · sampler: {sampler} · preset: {preset}"
)
MODEL = Text("model: {model}")
GONE = Text("That picture is gone; here is its recipe. Draw it again?")

# The forms; Discord takes 45 characters for a title or a label, and 100 for a hint
REMIX_FORM = Text("Remix")
START_FORM = Text("Use as start")
EDIT_FORM = Text("Edit this picture")
INSTRUCTION_FIELD = Text("What to change")
INSTRUCTION_HINT = Text("for example: make it winter")
PROMPT_FIELD = Text("Prompt")
NEGATIVE_PROMPT_FIELD = Text("Negative prompt")
SIZE_FIELD = Text("Size")
SEED_FIELD = Text("Seed")
SEED_HINT = Text("empty for new pictures")
SETTINGS_FIELD = Text("Steps / guidance / sampler")
SEED_AFTER_HINT = Text("a seed may follow, as in 30 / 7.5 / ddim / 42")
MODEL_FIELD = Text("Model")
MODEL_HINT = Text("unchanged size and settings become those of the model you choose")
MODEL_GONE_HINT = Text("the model of this picture is gone, or not for you; choose another")
STRENGTH_FIELD = Text("Strength (0 to 1)")
STRENGTH_HINT = Text("low: keep the picture; high: follow the prompt")
TOO_MANY_SETTINGS = Text(
    "Write steps / guidance / sampler like 30 / 7.5 / ddim, or leave a part empty; a seed may "
    "follow. Nothing was drawn."
)
NO_NUMBER_OF_STEPS = Text(
    "“{text}” is not a number of steps. Write a number like 30, or leave it out. Nothing was drawn."
)
NO_GUIDANCE = Text(
    "“{text}” is not a number for guidance. Write a number like 7 or 7.5, or leave it out. "
    "Nothing was drawn."
)
NO_STRENGTH = Text(
    "“{text}” is not a number for strength. Write a number like 0.7, or leave it out. Nothing "
    "was drawn."
)

# What /imagine offers
SQUARE, PORTRAIT, LANDSCAPE = Text("square"), Text("portrait"), Text("landscape")
SUGGEST_SQUARE = Text("{size} (square)")
SUGGEST_PORTRAIT = Text("{size} (portrait)")
SUGGEST_LANDSCAPE = Text("{size} (landscape)")

# The gallery
GALLERY = Text("**Your pictures**, newest first")
GALLERY_EMPTY = Text("You have no pictures yet. `/imagine` draws some.")
GALLERY_AT_END = Text("There are no older pictures. `/imagine` draws some.")
JUMP = Text("jump")

# The styles of a server
STYLES = Text("Styles here")
STYLE_SAVED = Text("Saved. `/imagine style:{name}` uses it.")
STYLE_REMOVED = Text("Removed.")
NOT_MANAGER = Text(
    "Only people with Manage Server can change this server's styles. Nothing was changed."
)
TOO_MANY_STYLES = Plural(
    "This server already has {count} style, the most there may be. Nothing was changed; remove one "
    "first.",
    "This server already has {count} styles, the most there may be. Nothing was changed; remove "
    "one first.",
)
NO_SUCH_STYLE = Text("There is no such style here, so nothing was changed.")
STYLE_NAME_WRONG = Text(
    "A style's name has 1 to 32 letters a to z, digits, spaces or hyphens. Nothing was changed."
)
STYLE_EMPTY = Text("A style needs text before, text after or a negative prompt.")
STYLE_TOO_LONG = Plural(
    "A style's texts have at most {count:,} character each. Nothing was changed.",
    "A style's texts have at most {count:,} characters each. Nothing was changed.",
)


def name_parameter(name: str) -> str:
    """Return how a sentence names a parameter. A parameter without a text keeps its stored name."""
    text = PARAMETERS.get(name)
    return text() if text else name.replace("_", " ")
