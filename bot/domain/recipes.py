"""What a person asked for, and everything needed to draw it again."""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from typing import Any

from bot.texts.recipes import GUIDED, GUIDED_UNTIL

RECIPE_VERSION = 1
"""After the first release, raise this with each new parameter that changes the picture."""


@dataclass(frozen=True, slots=True)
class StartPicture:
    """The picture that drawing starts from: a panel of a job, or a job's upload (panel 0).

    job_id: 0 means that the picture is the upload of this job itself. strength: (0, 1], the share
    of the steps that are run on the picture; 1 leaves nothing of it. factor: the picture's width,
    divided by the width at which it was drawn from a prompt. upscaled: 0 if the model draws on the
    picture. Otherwise the upscaler makes the sides this many times as long; nothing is drawn, and
    strength is 0. edited: the prompt is an instruction that says what to change. The model draws
    from noise and sees the picture beside it, so all steps are run, and strength is 1.
    """

    job_id: int
    panel: int
    strength: float
    factor: int = 1
    upscaled: int = 0
    edited: bool = False

    @property
    def is_enlarged(self) -> bool:
        """Return whether the picture is enlarged, by the upscaler or by a second pass."""
        return self.factor > 1


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a member attached in Discord. It is not downloaded yet."""

    url: str
    num_bytes: int


def _between(least: float, most: float) -> Any:
    """Make a number field with its bounds. Both bounds are allowed values."""
    return field(default=None, metadata={"bounds": (least, most)})


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that people can choose. Their names are those in diffusers.

    None: the model's default will be filled in. clip_skip: how many of the text encoder's last
    layers are skipped for the prompt. The negative prompt uses all layers.
    """

    prompt: str
    negative_prompt: str = ""
    _: KW_ONLY
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = _between(0, 30)
    clip_skip: int | None = _between(0, 11)
    sampler: str | None = None
    start: StartPicture | None = None

    def choices(self) -> dict[str, Any]:
        """Return each parameter by its name."""
        return {each.name: getattr(self, each.name) for each in fields(Parameters)}

    @classmethod
    def list_bounds(cls) -> dict[str, tuple[float, float]]:
        """Return the smallest and largest value of each bounded parameter, for any model."""
        bounds = {each.name: each.metadata.get("bounds") for each in fields(Parameters)}
        return {name: pair for name, pair in bounds.items() if pair}


@dataclass(frozen=True, slots=True)
class Ask(Parameters):
    """A person's request as typed, unchecked. seed: None means a random seed.

    upload: a picture to start from, not yet fetched or judged. own_words: the prompt without the
    style around it; None if there is no style. press: the button that was pressed, so that two
    presses at once make one job; "" if the prompt was typed. model: the id or the label of a model;
    None for the default model of the server. If the picture is only enlarged, it may name a model
    that is gone.
    """

    _: KW_ONLY
    seed: int | None = None
    preset: str | None = None
    upload: Upload | None = None
    num_images: int = 3
    press: str = ""
    own_words: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """Text to put around a prompt, and values for options that the member does not set.

    is_removed: the server has removed the style of this name that comes with Triptych.
    """

    name: str
    before: str = ""
    after: str = ""
    negative_prompt: str = ""
    sampler: str | None = None
    num_inference_steps: int | None = None
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Recipe(Parameters):
    """Everything needed to draw a job again.

    Until the model is loaded, None stands for the model's defaults.
    model: ``ModelInfo.id``. preset: the name of the preset that was chosen. guidance_until: the
    share of the steps that are guided. version: the version of the recipe format. own_words: what
    the member typed, if a style was put around it. upscaler, upscale_factor: the network that
    enlarges the pictures, and how many times longer it makes their sides. width, height: the size
    after enlarging; but if the pictures are only shown enlarged, the size before it.
    """

    seeds: tuple[int, ...] = ()
    _: KW_ONLY
    model: str | None = None
    preset: str = "quality"
    guidance_until: float = 1.0
    version: int = RECIPE_VERSION
    own_words: str | None = None
    upscaler: str | None = None
    upscale_factor: int | None = None

    @property
    def typed_prompt(self) -> str:
        """Return the prompt without the style around it."""
        return self.own_words or self.prompt

    @property
    def is_newer(self) -> bool:
        """Return whether a newer version made this recipe, perhaps with unknown parameters."""
        return self.version > RECIPE_VERSION

    @property
    def guidance(self) -> str:
        """Describe the guidance in the reader's language: "7.5", or "7.5 for 60 % of the steps"."""
        if self.guidance_scale is None:
            return ""
        if self.guidance_until >= 1:
            return GUIDED(scale=self.guidance_scale)
        return GUIDED_UNTIL(scale=self.guidance_scale, share=self.guidance_until * 100)

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels; 0 means that the model's size will be filled in."""
        return self.width or 0, self.height or 0

    @property
    def strength(self) -> float:
        """Return the share of the steps that are run, in (0, 1]."""
        return self.start.strength if self.start else 1.0

    @property
    def is_enlarged(self) -> bool:
        """Return whether this is a second pass over an enlarged picture; it may be drawn in tiles.

        The second pass runs without prompt and guidance. At a size that the model was not trained
        for, a prompt would repeat its subject in the picture.
        """
        return self.start is not None and self.start.is_enlarged

    @property
    def is_upscaled(self) -> bool:
        """Return whether the upscaler only enlarges a picture, without drawing."""
        return self.start is not None and self.start.upscaled > 0

    @property
    def is_edit(self) -> bool:
        """Return whether the prompt is an instruction that says what to change in a picture."""
        return self.start is not None and self.start.edited

    @property
    def shown_factor(self) -> int:
        """Return how many times longer the pictures' sides are when shown than when drawn."""
        return 1 if self.is_upscaled else self.upscale_factor or 1

    @property
    def drawn_prompt(self) -> str:
        """Return the prompt that the model gets."""
        return "" if self.is_enlarged else self.prompt

    @property
    def drawn_guidance_scale(self) -> float:
        """Return how much the prompt guides the model. Values up to 1 mean no guidance."""
        return 1.0 if self.is_enlarged else self.guidance_scale or 0.0

    def describe(self) -> dict[str, Any]:
        """Return the recipe's values by name, for files and reports. Unset values are left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}
