"""Train the text encoder to know what a caption names: python -m training.text_encoder

It learns to keep subject, place, style, count and colour in its end-of-text states, because most of
what the UNet sees are these states. The UNet's training can then leave it as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from transformers import CLIPTextModel, CLIPTokenizer

from training import models
from training.captions import compose_caption, draw_spec, place_names
from training.config import Config, Run, add_common_arguments, run_from
from training.draws import python_random, torch_generator
from training.loop import Loop, learning_rate
from training.tokenizer import train_tokenizer
from training.vocabulary import SUBJECT_COLOURS

BATCH = 96
PEAK = 2e-3
PEAK_FROM_EARLIER = 4e-4
TOKENIZER_CAPTIONS = 40_000
HEADS = ("subject", "place", "style", "count", "colour")


class Reader(torch.nn.Module):
    """The text encoder with a small head for each thing to name. The heads are not kept."""

    def __init__(self, encoder: CLIPTextModel, config: Config) -> None:
        super().__init__()
        self.encoder = encoder
        width = config.text_width
        self.subject = torch.nn.Linear(width, len(config.subject_indices) + 1)
        self.place = torch.nn.Linear(width, len(place_names(config)))
        self.style = torch.nn.Linear(width, len(config.styles))
        self.count = torch.nn.Linear(width, len(config.count_weights))
        self.colour = torch.nn.Linear(width, 1 + len(SUBJECT_COLOURS))

    def forward(self, ids: torch.Tensor, pick: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`pick` (0…1) chooses one of the end-of-text states, so that each of them learns it."""
        states = self.encoder(ids).last_hidden_state
        first = (ids == self.encoder.config.eos_token_id).int().argmax(1)
        last = ids.shape[1] - 1
        index = (first + (pick * (last - first + 1)).long()).clamp(max=last)
        chosen = states[torch.arange(len(ids), device=ids.device), index]
        return tuple(getattr(self, name)(chosen) for name in HEADS)


def labelled_captions(run: Run, *name: object) -> tuple[list[str], torch.Tensor]:
    """Return captions and labels (n, 5) in the order of HEADS. Subject 0: none. Colour 0: usual."""
    config, chance = run.config, python_random(run.seed, *name)
    specs = [draw_spec(config, chance) for _ in range(BATCH)]
    places, colours = place_names(config), tuple(SUBJECT_COLOURS)
    labels = [
        (
            0 if spec.subject is None else 1 + config.subject_indices.index(spec.subject),
            places.index(spec.place),
            config.styles.index(spec.style),
            spec.count - 1,
            1 + colours.index(spec.colour) if spec.colour else 0,
        )
        for spec in specs
    ]
    captions = [compose_caption(spec, config, chance) for spec in specs]
    return captions, torch.tensor(labels, device=run.device)


@torch.no_grad()
def accuracy(reader: Reader, tokenizer: CLIPTokenizer, run: Run) -> dict[str, float]:
    right = torch.zeros(len(HEADS))
    for number in range(10):
        captions, labels = labelled_captions(run, "text check", number)
        ids = models.tokenize(tokenizer, captions).to(run.device)
        said = reader(ids, torch.zeros(len(ids), device=run.device))
        for i, head in enumerate(said):
            right[i] += (head.argmax(1) == labels[:, i]).float().mean().cpu() / 10
    return {f"{name}_accuracy": round(right[i].item(), 4) for i, name in enumerate(HEADS)}


def obtain_tokenizer(run: Run, earlier: Path | None) -> CLIPTokenizer:
    folder = run.path("text", "tokenizer")
    if not folder.is_dir():
        if earlier is None:
            count = min(TOKENIZER_CAPTIONS, run.config.text_samples)
            return train_tokenizer(run.config, run.seed, folder, count)
        tokenizer = CLIPTokenizer.from_pretrained(earlier / "tokenizer")
        tokenizer.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def train(run: Run, earlier: Path | None = None) -> Loop:
    config = run.config
    tokenizer = obtain_tokenizer(run, earlier)
    torch.manual_seed(run.seed)
    encoder = models.build_text_encoder(config, tokenizer)
    if earlier is not None:
        models.grow(encoder, earlier / "text_encoder")
    reader = Reader(encoder, config).to(run.device)
    optimiser = torch.optim.AdamW(reader.parameters(), PEAK, betas=(0.9, 0.98))
    peak = PEAK if earlier is None else PEAK_FROM_EARLIER
    state = {"reader": reader, "optimiser": optimiser}
    loop = Loop(
        "text encoder",
        run.path("text", "run"),
        config.text_samples,
        BATCH,
        state,
        after_step=run.after_step,
    )
    loop.load()

    def rate() -> float:
        return learning_rate(peak, loop.seen, loop.total, BATCH, 0.9)

    for step in loop.steps(rate):
        captions, labels = labelled_captions(run, "text", step)
        ids = models.tokenize(tokenizer, captions).to(run.device)
        pick = torch.rand(BATCH, generator=torch_generator(run.seed, "pick", step))
        said = reader(ids, pick.to(run.device))
        losses = [F.cross_entropy(head, labels[:, i]) for i, head in enumerate(said)]
        loss = torch.stack(losses).sum()
        optimiser.param_groups[0]["lr"] = rate()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        loop.record(loss)
    encoder.save_pretrained(run.path("text", "text_encoder"))
    loop.log(**accuracy(reader, tokenizer, run))
    return loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--init", type=Path, help="an earlier model's folder to begin from")
    arguments = parser.parse_args()
    train(run_from(arguments), arguments.init)


if __name__ == "__main__":
    main()
