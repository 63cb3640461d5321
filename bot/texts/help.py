"""The answer to /help."""

from __future__ import annotations

from bot.texts.catalog import Text

EVERYBODY = (
    Text("**Triptych draws three pictures for every prompt.**"),
    Text(
        "`/imagine` takes a prompt, such as *dog in autumn leaves*. Optional: what to avoid, "
        "steps, guidance, a seed (the same seed draws the same pictures), a size, a sampler and a "
        "preset."
    ),
    Text(
        "`image` starts from a picture of yours; `strength` says how much of it may change, from 0 "
        "to 1."
    ),
    Text(
        "**Under a grid**: 1 2 3 show one picture (with Upscale and Use as start), Vary draws "
        "siblings of it, ↻ the same prompt with new seeds, ✎ Remix with changes; ⋯ has the recipe "
        "and Delete."
    ),
    Text(
        "`/gallery` shows your pictures, `/recipe` what is behind a message, `/privacy` what is "
        "kept."
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
IN_SERVERS = (
    Text(
        "`style` adds a style of this server. A picture that should not be here: *Apps*, then "
        "*Report picture*, on its message."
    ),
)
MODERATORS = (
    Text(
        "**For moderators**: `/rules list` and `/rules test` show what the rules do, `/audit` what "
        "was decided, `/status` how the queue is. `/strike` and `/suspend` are about members, "
        "`/pause` and `/resume` about this server. Cards in the review channel ask you to decide."
    ),
)
MANAGERS = (
    Text(
        "**For managers of the server**: `/settings` has roles, channels, review and quotas, "
        "`/rules add` and `/rules import` change the rules, `/style save` adds a style."
    ),
)
OWNERS = (
    Text(
        "**For you, the owner of this bot**: `/status` in a server shows the whole process. In the "
        "terminal, `triptych doctor` checks the installation and `triptych usage` adds up what was "
        "drawn."
    ),
)
