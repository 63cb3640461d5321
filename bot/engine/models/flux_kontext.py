"""FLUX.1 Kontext: FLUX.1 dev, trained to change a picture as an instruction says."""

from __future__ import annotations

from typing import Any

from diffusers.pipelines.flux.pipeline_flux_kontext import FluxKontextPipeline

from bot.domain.recipes import Recipe
from bot.engine.models.editing import ReferenceEditor
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.flux import Flux
from bot.engine.sampling.step_tables import Schedule


class FluxKontext(Flux):
    """See ``ModelFamily``. Without a picture, it draws like FLUX.1 dev.

    The pipeline brings every picture to one of ``sizes``. We do not, but members' pictures get the
    size of these that fits best.
    """

    pipeline_class: Any = FluxKontextPipeline
    guidance_scale = 2.5  # https://huggingface.co/black-forest-labs/FLUX.1-Kontext-dev
    sizes = (
        (1024, 1024),
        (944, 1104),
        (1104, 944),
        (880, 1184),
        (1184, 880),
        (832, 1248),
        (1248, 832),
        (800, 1328),
        (1328, 800),
        (752, 1392),
        (1392, 752),
        (720, 1456),
        (1456, 720),
        (688, 1504),
        (1504, 688),
        (672, 1568),
        (1568, 672),
    )

    def __init__(self, pipe: Any, folder: Any = None) -> None:
        super().__init__(pipe, folder)
        self.editor = ReferenceEditor(self)

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return mu and evenly spaced noise levels, also for UniPC."""
        return FlowTransformer.schedule(self, recipe)
