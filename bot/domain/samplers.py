"""Lists the samplers: their ids as in diffusers' documentation, and their names elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Sampler:
    """One sampler. id: stored in recipes. label: shown to people. aliases: more names to type."""

    id: str
    label: str
    aliases: tuple[str, ...] = ()


def _spaced(id_: str, label: str, *aliases: str) -> tuple[Sampler, ...]:
    """List a sampler and its variants with Karras sigmas and exponential sigmas."""
    return (
        Sampler(id_, label, aliases),
        Sampler(f"{id_}_karras", f"{label} Karras", tuple(f"{each} karras" for each in aliases)),
        Sampler(
            f"{id_}_exponential",
            f"{label} Exponential",
            tuple(f"{each} exponential" for each in aliases),
        ),
    )


_ALL = (
    Sampler("euler_a", "Euler a", ("euler ancestral", "k_euler_a", "k_euler_ancestral")),
    *_spaced("dpmpp_2m", "DPM++ 2M", "dpm++2m", "k_dpmpp_2m", "dpmsolver++"),
    *_spaced("dpmpp_2m_sde", "DPM++ 2M SDE", "dpm++2m sde", "dpmpp_sde_2m"),
    *_spaced("euler", "Euler", "k_euler"),
    *_spaced("unipc", "UniPC", "uni_pc", "uni-pc"),
    Sampler("ddim", "DDIM"),
    *_spaced("heun", "Heun", "k_heun"),
    Sampler("lcm", "LCM"),
    Sampler("tcd", "TCD"),
    *_spaced("dpmpp_3m", "DPM++ 3M", "dpm++3m"),
    *_spaced("deis", "DEIS"),
    *_spaced("kdpm2", "DPM2", "k_dpm_2"),
    *_spaced("kdpm2_a", "DPM2 a", "k_dpm_2_a", "dpm2 ancestral", "k_dpm_2_ancestral"),
    Sampler("pndm", "PNDM", ("plms",)),
    Sampler("ddpm", "DDPM"),
)
SAMPLERS = {each.id: each for each in _ALL}
"""Every sampler by its id, the popular ones first."""


def _strip(name: str) -> str:
    """Keep only letters, digits and plus signs, so that "DPM++ 2M" and "dpm++2m" are equal."""
    return re.sub(r"[^a-z0-9+]", "", name.casefold())


_BY_NAME = {_strip(name): each.id for each in _ALL for name in (each.id, each.label, *each.aliases)}


def find_sampler(name: str) -> str | None:
    """Find a sampler by its id, label or alias, in any spelling, and return its id."""
    return _BY_NAME.get(_strip(name))


def name_sampler(id_: str | None) -> str:
    """Return a sampler's label. An id that only another version knows is returned unchanged."""
    return SAMPLERS[id_].label if id_ in SAMPLERS else id_ or ""


def suggest_sampler(name: str) -> str | None:
    """Return the label of the sampler that was probably meant; None if no name is similar."""
    near = get_close_matches(_strip(name), _BY_NAME, n=1, cutoff=0.7)
    return SAMPLERS[_BY_NAME[near[0]]].label if near else None
