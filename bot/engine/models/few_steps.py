"""Recognises models distilled to draw in a few steps, and gives their settings. No torch here.

With the usual 50 steps and guidance of 7.5, such a model draws blurs or garish colours. The values
here are those that are commonly recommended for each kind; none of these models has been run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_NUM_STEPS = re.compile(r"(?<!\d)([1-9])[ _-]?steps?(?![a-z])")
"""A model made for one number of steps has this number in its name: "sdxl_lightning_4step"."""


@dataclass(frozen=True, slots=True)
class FewSteps:
    """The defaults of a distilled model, used if a member chooses nothing else.

    label: the kind's name for people. guidance_scale: up to 1 means no guidance. sampler: the
    default sampler; None is the model's own. is_trailing: whether timesteps are counted from the
    end, because the model was distilled to start from pure noise
    (https://arxiv.org/abs/2305.08891).
    """

    label: str
    num_inference_steps: int
    guidance_scale: float = 1.0
    sampler: str | None = None
    is_trailing: bool = False


def recognise_few_steps(
    name: str, scheduler: str, settings: dict[str, Any], *, embeds_guidance: bool
) -> FewSteps | None:
    """Recognise a distilled model by its files; None if it needs the usual number of steps.

    name: of the file or folder. scheduler, settings: the scheduler's class, and its config.
    embeds_guidance: whether the UNet takes the guidance scale as an input.
    """
    words = _split(name)
    if embeds_guidance:
        return FewSteps("LCM", 4, 8.0, "lcm")
    return _find_named(words, scheduler) or _find_turbo(words, scheduler, settings)


def recognise_named(name: str, kinds: Mapping[str, FewSteps]) -> FewSteps | None:
    """Recognise a distilled model by a word in its name.

    kinds: the words, with their usual settings. A number of steps in the name counts instead of the
    usual one. "De-Turbo" is no Turbo: its distillation was undone.
    """
    words = _split(name)
    for kind, usual in kinds.items():
        if _has(words, kind) and not _has(words, f"de {kind}"):
            return replace(usual, num_inference_steps=_read_steps(words, usual.num_inference_steps))
    return None


def _split(name: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)  # "photonLCM" counts as two words
    return re.sub(r"[^a-z0-9]+", " ", parted.lower())


def _find_named(words: str, scheduler: str) -> FewSteps | None:
    """Recognise a kind by a scheduler or a name that no other kind has."""
    if scheduler == "LCMScheduler" or _has(words, "lcm"):
        return FewSteps("LCM", _read_steps(words, 6), sampler="lcm")
    if scheduler == "TCDScheduler" or _has(words, "tcd"):
        return FewSteps("TCD", _read_steps(words, 4), sampler="tcd")
    if _has(words, "lightning"):
        return FewSteps("Lightning", _read_steps(words, 6), sampler="euler", is_trailing=True)
    if re.search(r"\bhyper(?: ?sd(?:xl)?(?:15)?)?\b", words):
        return FewSteps("Hyper", _read_steps(words, 8), sampler="ddim", is_trailing=True)
    return None


def _find_turbo(words: str, scheduler: str, settings: dict[str, Any]) -> FewSteps | None:
    """Recognise original Turbo models by their timesteps, and fine-tunes by their name."""
    is_plain = settings.get("prediction_type", "epsilon") == "epsilon"
    is_trailing = settings.get("timestep_spacing") == "trailing" and scheduler.startswith("Euler")
    if is_plain and is_trailing and not settings.get("rescale_betas_zero_snr"):
        return FewSteps("Turbo", _read_steps(words, 4), is_trailing=True)
    if _has(words, "turbo"):
        return FewSteps("Turbo", _read_steps(words, 8), 2.0, "dpmpp_2m_sde_karras")
    return None


def _has(words: str, kind: str) -> bool:
    """Return whether the words name a kind, even joined to the name of a base model or version."""
    return re.search(rf"(?:\b|xl|sd){kind}(?:\b|xl|v?\d)", words) is not None


def _read_steps(words: str, otherwise: int) -> int:
    found = _NUM_STEPS.search(words)
    return int(found[1]) if found else otherwise
