"""Sampler ids and the diffusers schedulers behind them."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_deis_multistep import DEISMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_lcm import FlowMatchLCMScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_k_dpm_2_ancestral_discrete import (
    KDPM2AncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_k_dpm_2_discrete import KDPM2DiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_tcd import TCDScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from bot.engine.api import SAMPLER_IDS
from bot.engine.sampling.schedules import (
    Schedule,
    Scheduler,
    is_flow,
    scale_input,
    set_timesteps,
)
from bot.engine.sampling.step_tables import NotTabled, probe_table


@dataclass(frozen=True, slots=True)
class _Sampler:
    """A scheduler class for a sampler. ignores: settings that the class accepts without effect."""

    scheduler_class: type[Scheduler]
    settings: dict[str, Any] = field(default_factory=dict)
    ignores: tuple[str, ...] = ()

    def knows(self) -> frozenset[str]:
        """Return the settings that the scheduler class follows."""
        return frozenset(inspect.signature(self.scheduler_class).parameters) - {*self.ignores}


_SAMPLERS = {
    "pndm": _Sampler(PNDMScheduler, {"skip_prk_steps": True}),
    "ddim": _Sampler(DDIMScheduler),
    "ddpm": _Sampler(DDPMScheduler),
    "euler": _Sampler(EulerDiscreteScheduler),
    "euler_a": _Sampler(EulerAncestralDiscreteScheduler),
    "heun": _Sampler(HeunDiscreteScheduler),
    "kdpm2": _Sampler(KDPM2DiscreteScheduler),
    "kdpm2_a": _Sampler(KDPM2AncestralDiscreteScheduler),
    "deis": _Sampler(DEISMultistepScheduler),
    "dpmpp_2m": _Sampler(DPMSolverMultistepScheduler),
    "dpmpp_2m_sde": _Sampler(DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m": _Sampler(DPMSolverMultistepScheduler, {"solver_order": 3}),
    "unipc": _Sampler(UniPCMultistepScheduler),
    "lcm": _Sampler(LCMScheduler),
    "tcd": _Sampler(TCDScheduler, ignores=("thresholding",)),
}
_SPACINGS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas"}
"""The settings for other ways to space the noise levels, in the classes that have them."""

_SAMPLERS |= {
    f"{name}_{spacing}": _Sampler(kind.scheduler_class, kind.settings | {setting: True})
    for name, kind in _SAMPLERS.items()
    for spacing, setting in _SPACINGS.items()
    if setting in kind.knows()
}

# A class silently ignores a setting that it does not know, and then uses another schedule.
_SCHEDULE_SETTINGS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "timestep_spacing",
    "steps_offset",
    "rescale_betas_zero_snr",
    "thresholding",
)
_NUM_PROBED_STEPS = 10
_SUBSTITUTES = ("euler", "ddim")
"""The samplers that replace a model's own scheduler if we do not support it."""
# set_alpha_to_one: where the last step ends. Only PNDM and DDIM have it; others end at sigma 0.
_OPTIONAL_SETTINGS = ("set_alpha_to_one", "clip_sample")

_FLOW_SPACINGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


class _FlowDEIS(DEISMultistepScheduler):
    """DEIS for flow models, which ends almost without noise.

    The class itself stays at its last noise level, so that much noise is left in the picture. Its
    formulas have no value at 0.
    """

    def set_timesteps(
        self, num_inference_steps: int, device: Any = None, mu: float | None = None
    ) -> None:
        """Set the timesteps as the class does, but with another end."""
        super().set_timesteps(num_inference_steps, device, mu)
        self.sigmas[-1] = 1 / self.config["num_train_timesteps"]


def _solve_flow(scheduler_class: type[Scheduler], *ignores: str, **settings: Any) -> _Sampler:
    """Describe a class that also draws diffusion models. Its other ways to space the noise levels
    are not those of flow models.
    """
    settings |= {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    return _Sampler(scheduler_class, settings, (*_FLOW_SPACINGS, *ignores))


_FLOW_SAMPLERS = {
    "euler": _Sampler(FlowMatchEulerDiscreteScheduler),
    "heun": _Sampler(FlowMatchHeunDiscreteScheduler),
    "lcm": _Sampler(FlowMatchLCMScheduler),
    # these two know only the exponential time_shift_type
    "dpmpp_2m": _solve_flow(DPMSolverMultistepScheduler, "time_shift_type"),
    "deis": _solve_flow(_FlowDEIS, "time_shift_type"),
    "unipc": _solve_flow(UniPCMultistepScheduler),
}
"""The samplers for flow models. All of them follow the model's own shift."""

_FLOW_SETTINGS = ("use_dynamic_shifting", "time_shift_type", "shift_terminal", *_FLOW_SPACINGS)
_EXAMPLE = Schedule(mu=1.0)
"""A schedule to try a sampler with. Only flow schedulers that shift by size look at it."""


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """The samplers offered for one model.

    ids: ``default`` first, then in the order of SAMPLER_IDS. notes: sentences for the owner, if
    another scheduler replaces the model's own or if a sampler is refused.
    """

    ids: tuple[str, ...]
    default: str
    notes: tuple[str, ...]

    def prefer(self, sampler: str | None) -> SamplerChoice:
        """Make a sampler the default, if it is offered."""
        if sampler not in self.ids:
            return self
        ids = (sampler, *(each for each in self.ids if each != sampler))
        return replace(self, ids=ids, default=sampler)


_CHOICES: dict[str, SamplerChoice] = {}
_EVALUATIONS: dict[tuple[str, str, int], int] = {}
"""Results that depend only on the scheduler's class and settings, so that models can share them."""


class Samplers:
    """Makes new schedulers for requests, all with the model's own noise schedule.

    own: the model's scheduler after the pipeline's constructor has patched its config
    (``steps_offset`` and ``clip_sample``); it is copied, never stepped.
    """

    def __init__(self, own: Scheduler) -> None:
        self._own = own
        self._is_flow = is_flow(own)
        self._kinds = _FLOW_SAMPLERS if self._is_flow else _SAMPLERS
        self._own_id = _find_own_id(own, self._kinds)
        self._settings = _read_flow_settings(own) if self._is_flow else _read_settings(own)
        self._key = f"{type(own).__module__} {json.dumps(dict(own.config), default=str)}"

    def choose(self) -> SamplerChoice:
        """Find which samplers this model can use. Raises ValueError if there are none."""
        if self._key not in _CHOICES:
            _CHOICES[self._key] = self._choose()
        return _CHOICES[self._key]

    def _choose(self) -> SamplerChoice:
        fault = _find_flow_fault(self._own) if self._is_flow else None
        names = [name for name in SAMPLER_IDS if name in self._kinds and fault is None]
        misfits = {name: self._find_misfit(name) for name in names if name != self._own_id}
        faults = {name: self._find_fault(name) for name in names if misfits.get(name) is None}
        offered = [name for name in faults if faults[name] is None]
        refused = {**misfits, **faults} if self._is_flow else faults
        notes = [
            f"The sampler {name} is not offered: {why}." for name, why in refused.items() if why
        ]
        if not offered:
            msg = f"no sampler takes the noise schedule of {type(self._own).__name__}"
            raise ValueError(" ".join([f"{msg}{fault or ''}.", *notes]))
        default = self._own_id if self._own_id in offered else None
        if default is None:
            default = next((name for name in _SUBSTITUTES if name in offered), offered[0])
            notes.append(
                f"The model's own scheduler, {type(self._own).__name__}, is not one of Triptych's "
                f"samplers; {default} takes its place on the same noise schedule."
            )
        ids = (default, *(name for name in offered if name != default))
        return SamplerChoice(ids, default, tuple(notes))

    def create(self, sampler: str) -> Scheduler:
        """Make an unused scheduler; ``sampler`` must be one of the offered ids."""
        if sampler == self._own_id:
            # from_config would drop settings that the pipeline has patched.
            return copy.deepcopy(self._own)
        kind = self._kinds[sampler]
        known = kind.knows()
        config = {name: value for name, value in self._settings.items() if name in known}
        settings = {**_off_by_default(known), **config, **kind.settings}
        return copy.deepcopy(_make(kind.scheduler_class, json.dumps(settings, sort_keys=True)))

    def count_evaluations(self, sampler: str, num_inference_steps: int) -> int:
        """Count the network's calls for this many steps of a sampler. PNDM makes one more."""
        key = (self._key, sampler, num_inference_steps)
        if key not in _EVALUATIONS:
            timesteps = set_timesteps(self.create(sampler), num_inference_steps, _EXAMPLE)
            _EVALUATIONS[key] = len(timesteps)
        return _EVALUATIONS[key]

    def _find_misfit(self, sampler: str) -> str | None:
        """Return why a sampler's class does not follow the noise schedule; None if it does."""
        known = self._kinds[sampler].knows()
        for name in (*_SCHEDULE_SETTINGS, *_FLOW_SETTINGS):
            if self._settings.get(name) and name not in known:
                return f"its scheduler does not follow the model's setting {name}"
        try:
            scheduler = self.create(sampler)
            t, x = set_timesteps(scheduler, 2, _EXAMPLE)[0], torch.zeros(1, 1, 2, 2)
            scheduler.step(scale_input(scheduler, x, t), t, x)
        except (NotImplementedError, ValueError) as error:
            return f"its scheduler does not accept a setting of the model ({error})"
        return None

    def _find_fault(self, sampler: str) -> str | None:
        """Return why a sampler's steps cannot be written as a table; None if they can."""
        try:
            probe_table(self.create(sampler), _NUM_PROBED_STEPS, schedule=_EXAMPLE)
        except NotTabled as fault:
            return str(fault)
        return None


@lru_cache(maxsize=64)
def _make(scheduler_class: type[Scheduler], settings: str) -> Scheduler:
    """Make a scheduler to be copied. ``set_timesteps`` must be called before a copy is used."""
    return _hasten(scheduler_class)(**json.loads(settings))


@cache
def _hasten(scheduler_class: type[Scheduler]) -> type[Scheduler]:
    """Return the class with a quick constructor.

    The constructors of Heun and KDPM2 compute all training steps, which takes up to 0.2 s. Here
    they compute only two.
    """
    plain = scheduler_class.set_timesteps
    if "num_train_timesteps" not in inspect.signature(plain).parameters:
        return scheduler_class

    def set_timesteps(
        self: Scheduler, num_steps: int, device: Any = None, num_train_timesteps: int | None = None
    ) -> None:
        """num_train_timesteps: given only if the constructor calls this method."""
        plain(self, 2 if num_train_timesteps else num_steps, device, num_train_timesteps)

    return type(scheduler_class.__name__, (scheduler_class,), {"set_timesteps": set_timesteps})


def _off_by_default(known: Any) -> dict[str, bool]:
    """Switch off the clipping of samples in DDIM, as the pipeline's constructor does."""
    return {"clip_sample": False} if "clip_sample" in known else {}


def _read_settings(own: Scheduler) -> dict[str, Any]:
    """Return the settings of a diffusion model that its samplers must follow."""
    names = (*_SCHEDULE_SETTINGS, *_OPTIONAL_SETTINGS)
    return {name: own.config[name] for name in names if name in own.config}


def _read_flow_settings(own: Scheduler) -> dict[str, Any]:
    """Return the settings of a flow model that its samplers must follow."""
    config = own.config
    shift = config.get("shift", config.get("flow_shift", 1.0))
    settings = {"num_train_timesteps": config.num_train_timesteps}
    settings |= {"shift": shift, "flow_shift": shift}  # each class knows one of these names
    settings |= {name: config[name] for name in _FLOW_SETTINGS if config.get(name)}
    if settings.get("time_shift_type") == "exponential" or not config.get("use_dynamic_shifting"):
        settings.pop("time_shift_type", None)  # it is the default, or has no effect
    return settings


def _find_flow_fault(own: Scheduler) -> str | None:
    """Return why no sampler can draw a flow model, as the end of a sentence; None if some may."""
    config = own.config
    unsupported = ("thresholding", "use_lu_lambdas", *_FLOW_SPACINGS)
    if isinstance(own, (FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler)):
        unsupported = ("invert_sigmas", "scale_factors")
    elif isinstance(own, FlowMatchHeunDiscreteScheduler):
        unsupported = ()
    elif config.get("prediction_type") != "flow_prediction" or not config.get("use_flow_sigmas"):
        return ", which is not one of the flow schedulers that Triptych knows"
    found = next((name for name in unsupported if config.get(name)), None)
    return found and f" with its setting {found}"


def _find_own_id(own: Scheduler, kinds: Mapping[str, _Sampler]) -> str | None:
    """Return the id of the sampler that uses the model's own scheduler; None if there is none.

    If several use the same class, take the one whose settings fit the model best.
    """

    def draws(settings: Any) -> bool:
        return str(settings.get("algorithm_type", "")).startswith("sde-")

    scores = {
        name: sum(1 if own.config.get(k) == v else -1 for k, v in kind.settings.items())
        for name, kind in kinds.items()
        if kind.scheduler_class is type(own) and draws(kind.settings) == draws(own.config)
    }
    return max(scores, key=lambda name: scores[name], default=None)
