"""The answer to /help."""

from __future__ import annotations

from bot.texts.catalog import Text

EVERYBODY = (
    Text("**Triptych draws three pictures for every prompt.**"),
    Text(
        "`/imagine` takes a prompt, such as *dog in autumn leaves*. Optional: what to avoid, "
        "steps, guidance, a seed (the same seed draws the same pictures), a size, a sampler, a "
        "preset and a model. `/models` shows which models you can use."
    ),
    Text(
        "`image` starts from a picture of yours; `strength` says how much of it may change, from 0 "
        "to 1. If a model here can do it, `/edit` changes your picture as you say, and so does "
        "Edit under a single picture."
    ),
    Text(
        "**Under a grid**: 1 2 3 show one picture (with Upscale and Use as start). Vary draws "
        "variations of it, ↻ draws the same prompt with new seeds, and ✎ Remix with your "
        "changes. ⋯ has the recipe and Delete."
    ),
    Text(
        "`/gallery` shows your pictures, `/recipe` how the pictures in a message were made, "
        "`/privacy` what is kept about you."
    ),
    Text(
        "`/together start` opens a round in a server: everybody adds phrases to one prompt, and "
        "votes for the best of its pictures."
    ),
    Text(
        "`/queue` shows the queue and what is left of your quota. The next turn goes to the "
        "server that has drawn least lately, and there to the member who has drawn least. So "
        "nobody can keep the others waiting."
    ),
    Text(
        "`/cancel` cancels a prompt that waits or is being drawn. You are charged only for the "
        "steps that were drawn."
    ),
)
IN_SERVERS = (
    Text(
        "`style` adds a style of this server. If a picture should not be here, choose *Apps*, "
        "then *Report picture*, in the menu of its message."
    ),
)
MODERATORS = (
    Text(
        "**For moderators**: `/rules list` and `/rules test` show what the rules do, `/audit` "
        "shows what was decided, and `/status` shows how many prompts wait. `/strike` and "
        "`/suspend` are for members who break the rules, `/pause` and `/resume` stop and "
        "restart this server's queue. Cards in the review channel ask you to decide."
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
