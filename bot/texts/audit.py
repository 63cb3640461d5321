"""The audit log as moderators read it."""

from __future__ import annotations

from bot.texts.catalog import Plural, Text

ACTIONS = {
    "prompt_refused": Text("prompt refused"),
    "prompts_not_read": Text("prompts refused without reading them"),
    "prompt_held": Text("prompt held for review"),
    "prompt_covered": Text("prompt covered with a spoiler"),
    "upload_refused": Text("upload refused"),
    "pictures_hidden": Text("pictures hidden"),
    "pictures_held": Text("pictures held for review"),
    "pictures_covered": Text("pictures covered with a spoiler"),
    "pictures_deleted": Text("pictures deleted"),
    "approved": Text("approved"),
    "approved_covered": Text("approved as a spoiler"),
    "refused": Text("refused"),
    "expired": Text("expired"),
    "round_started": Text("round started"),
    "round_closed": Text("round closed"),
    "round_cancelled": Text("round cancelled"),
    "theme_refused": Text("theme of a round refused"),
    "phrase_refused": Text("phrase refused"),
    "phrase_held": Text("phrase held for review"),
    "phrase_approved": Text("phrase approved"),
    "phrase_struck": Text("phrase struck out"),
    "reported": Text("reported"),
    "report_decided": Text("report decided"),
    "struck": Text("strike given"),
    "strike_removed": Text("strike removed"),
    "suspended": Text("suspended"),
    "suspension_lifted": Text("suspension lifted"),
    "appealed": Text("appealed"),
    "appeal_decided": Text("appeal decided"),
    "rule_added": Text("rule added"),
    "rule_removed": Text("rule removed"),
    "rules_switched_off": Text("rules switched off"),
    "rules_noted": Text("notice of switched-off rules was read"),
    "style_saved": Text("style saved"),
    "style_removed": Text("style removed"),
    "setting_changed": Text("setting changed"),
    "paused": Text("paused"),
    "resumed": Text("resumed"),
    "data_exported": Text("member's data exported"),
    "data_deleted": Text("member's data deleted"),
    "retention_ended": Text("old data deleted"),
    "audit_exported": Text("audit log exported"),
}
"""The text for each action, by the name that is stored."""
BARE = Text(
    "The server's AutoMod refused the words of these rows, so they are left out here; "
    "`/audit search` shows them."
)
MEMBER = Text("member <@{member_id}>")
BY = Text("by <@{actor_id}>")
PROMPT = Text("prompt {job_id}")
ROUND = Text("round {round_id}")
RULE = Text("rule “{rule}”")
CHANGED = Text("{name}: {old} → {new}")
IN_CHANNEL = Text("{name} (in <#{channel_id}>)")
STRIKE = Text("strike `#{strike}`")
STRIKE_UNTIL = Text("strike `#{strike}`, expires <t:{lapses_at:.0f}:R>")
UNTIL = Text("until <t:{until:.0f}:f>")

STYLE = Text("{name}: {parts}")
STYLE_PARTS = {
    "before": Text("text before {shown}"),
    "after": Text("text after {shown}"),
    "negative_prompt": Text("negative prompt {shown}"),
    "sampler": Text("sampler {shown}"),
    "num_inference_steps": Text("steps {shown}"),
}
STYLE_PART_TAKEN_OUT = Text("{part} removed")
STYLE_UNCHANGED = Text("unchanged")

DELETED = {
    "prompts": Plural("{count:,} prompt", "{count:,} prompts"),
    "audit_rows": Plural("{count:,} row of the audit log", "{count:,} rows of the audit log"),
    "report": Plural("{count:,} report", "{count:,} reports"),
    "card": Plural("{count:,} card", "{count:,} cards"),
    "strike": Plural("{count:,} strike", "{count:,} strikes"),
    "suspension": Plural("{count:,} suspension", "{count:,} suspensions"),
    "phrase": Plural("{count:,} phrase", "{count:,} phrases"),
    "round": Plural("{count:,} round", "{count:,} rounds"),
}
"""What retention deleted, by the name that is stored."""

OLDER = Text("Older")
NO_ENTRIES = Text("Nothing in the audit log matches.")
NOT_A_TIME = Text(
    "“{text}” is not a time. Write a date like 2026-11-01, or how long ago: 12h, 30d, 4w."
)
