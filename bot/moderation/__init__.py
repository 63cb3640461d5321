"""The guard: judges prompts and pictures. Knows nothing of Discord, SQL or torch."""

from bot.moderation.pictures import PictureCheck
from bot.moderation.prompts import PromptPolicy

__all__ = ["PictureCheck", "PromptPolicy"]
