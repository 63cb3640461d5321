"""What a person asked for, and everything needed to draw it again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartPicture:
    """What drawing starts from: a panel of a job, or its upload (panel 0), its own for job_id 0.

    strength: (0, 1], the share of the steps that are run on it; 1 leaves nothing of it.
    num_doublings: how often it was enlarged before this pass, which the prompt has no part in then.
    """

    job_id: int
    panel: int
    strength: float
    num_doublings: int = 0

    @property
    def is_enlarged(self) -> bool:
        """Whether this is a second pass over an enlarged picture."""
        return self.num_doublings > 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a member handed to Discord, not fetched yet."""

    url: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person typed, unchecked. None means: the model's default, or a random seed.

    upload: to be fetched and judged, if it starts from one. press: what was pressed, so that two
    presses at once are one job; "" for what was typed.
    """

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    seed: int | None = None
    preset: str | None = None
    start: StartPicture | None = None
    upload: Upload | None = None
    num_images: int = 3
    press: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """Text put around a prompt, and values for what the member leaves open.

    is_removed: the server does not offer the style of this name that comes with Triptych.
    """

    name: str
    before: str = ""
    after: str = ""
    negative_prompt: str = ""
    sampler: str | None = None
    num_inference_steps: int | None = None
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything needed to draw a job again.

    A job taken while the model still loads keeps None where the model's default will be filled in.
    preset: what the values came from; guidance_until: the share of the steps that are guided.
    """

    prompt: str
    negative_prompt: str
    seeds: tuple[int, ...]
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    model: str | None = None
    preset: str = "quality"
    guidance_until: float = 1.0
    start: StartPicture | None = None

    @property
    def guidance(self) -> str:
        """ "7.5", or "7.5 for 60 % of the steps"."""
        scale = "" if self.guidance_scale is None else f"{self.guidance_scale:g}"
        if self.guidance_until >= 1:
            return scale
        return f"{scale} for {self.guidance_until * 100:.0f} % of the steps"
