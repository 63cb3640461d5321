"""The answer to /help."""

from __future__ import annotations

from bot.texts.catalog import Text

LINES = (
    Text("**Triptych draws three pictures for every prompt.**"),
    Text(
        "`/imagine` takes a prompt, such as *dog in autumn leaves*. Optional: what to avoid, "
        "steps, guidance, a seed (the same seed draws the same pictures), a size, a sampler and a "
        "preset."
    ),
    Text(
        "`image` and `strength` start from a picture of yours, `style` adds a style of this server."
    ),
    Text(
        "**Under a grid**: 1 2 3 show one picture (with Upscale and Use as start), Vary draws "
        "siblings of it, ↻ the same prompt with new seeds, ✎ Remix with changes; ⋯ has the recipe "
        "and Delete."
    ),
    Text(
        "`/gallery` shows your pictures, `/recipe` what is behind a message, `/style` the styles."
    ),
    Text(
        "`/queue` shows the queue and what is left of your quota. The next picture goes first to "
        "the server, then to the member that has drawn least lately, so nobody can crowd the "
        "others out."
    ),
    Text(
        "`/cancel` takes back a prompt that waits or is being drawn; what was not drawn costs "
        "nothing."
    ),
)
