"""An independent judge that looks at pixels: python -m training.judge

It is trained only on real composed scenes, never on drawn pictures. It learns to answer "nothing"
to blurred and blocky copies, blurred subjects and mixtures of two subjects, because a judge that
names blobs is useless. Its weights are small and in the repository, so that evaluation needs no
training.

One judge names the subject and the scene of pictures with one subject in its usual look. All models
are measured with it. Another, trained with `--looks`, also names number, colour and style.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from training.captions import Spec
from training.compose import Composer
from training.config import Run, add_common_arguments, run_from
from training.draws import Draw
from training.loop import Average, Loop, learning_rate
from training.scenes import SCENE_NAMES
from training.vocabulary import COLOURS, SUBJECT_COLOURS, SUBJECT_NAMES

BATCH = 48
PEAK = 3e-3
NOTHING = 0  # class 0 of every head
PLACES = (*SCENE_NAMES, *(f"plain-{colour}" for colour in COLOURS))
STYLES = ("3d", "flat", "pixel", "mono")
UNASKED = -100  # a label that the loss ignores
HEADS: dict[str, tuple[str, ...]] = {  # in the order of the labels
    "subject": SUBJECT_NAMES,
    "scene": PLACES,
    "count": ("1", "2", "3"),
    "colour": tuple(SUBJECT_COLOURS),
    "style": STYLES,
}
NAMING = ("subject", "scene")  # the heads of the first judge
WEIGHTS = Path(__file__).parent / "judge.safetensors"
LOOKS_WEIGHTS = Path(__file__).parent / "looks_judge.safetensors"
CHECK_SCENES = 512


class Judge(nn.Module):
    def __init__(self, names: tuple[str, ...] = NAMING) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inner = 3
        for outer, stride in ((24, 1), (48, 2), (64, 1), (96, 2), (96, 1), (128, 2), (128, 1)):
            layers += [
                nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(),
            ]
            inner = outer
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(inner * 16, 1 + len(HEADS[name])) for name in names}
        )

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of pictures (n, 3, 128, 128) in 0…1, in the order of the heads."""
        features = self.features(F.avg_pool2d(pictures, 2) * 2 - 1)
        return [head(features) for head in self.heads.values()]

    @torch.no_grad()
    def look(self, pictures: torch.Tensor) -> list[dict[str, str]]:
        """Return what it sees in each picture, by head; "nothing" if it recognises nothing."""
        seen: list[dict[str, str]] = [{} for _ in pictures]
        for name, logits in zip(self.heads, self(pictures), strict=True):
            for row, choice in zip(seen, logits.argmax(1).tolist(), strict=True):
                row[name] = ("nothing", *HEADS[name])[choice]
        return seen


def labels_of(spec: Spec) -> tuple[int, ...]:
    """Return a scene's labels. No subject is "nothing"; its usual colour gets no label."""
    if spec.subject is None:
        subject, count = NOTHING, NOTHING
    else:
        subject, count = 1 + spec.subject, spec.count
    colour = 1 + HEADS["colour"].index(spec.colour) if spec.colour else UNASKED
    style = 1 + STYLES.index(spec.style) if spec.style in STYLES else UNASKED
    return subject, 1 + PLACES.index(spec.place), count, colour, style


def coarse(pictures: torch.Tensor, cells: int, mode: str) -> torch.Tensor:
    small = F.interpolate(pictures, cells, mode="area")
    options = {} if mode == "nearest" else {"align_corners": False}
    return F.interpolate(small, pictures.shape[-1], mode=mode, **options)


def warped(picture: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Bend a picture by about 12 pixels."""
    shifts = 0.2 * draw.normal(1, 2, 6, 6)
    shifts = F.interpolate(shifts, picture.shape[-1], mode="bicubic", align_corners=False)
    straight = F.affine_grid(torch.eye(2, 3)[None], list(picture.shape), align_corners=False)
    grid = straight.to(picture.device) + shifts.permute(0, 2, 3, 1)
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _spoil(
    pixels: torch.Tensor, cover: torch.Tensor, labels: torch.Tensor, draw: Draw
) -> tuple[torch.Tensor, torch.Tensor]:
    """Spoil a third of the batch, whole or only the subject, and label it "nothing"."""
    spoilt, labels = pixels.clone(), labels.clone()
    masks = F.interpolate(cover, pixels.shape[-1], mode="bilinear", align_corners=False)
    masks = (masks * 3).clamp(0, 1)
    for i in range(0, len(pixels), 3):
        j = (i + 1) % len(pixels)
        cells, kind = int(draw.integers(7, 13, 1)), int(draw.integers(0, 4, 1))
        picture, mask = pixels[i : i + 1], masks[i]
        blurred = coarse(picture, cells, "bicubic").clamp(0, 1)
        if kind == 0:
            spoilt[i] = blurred[0]
        elif kind == 1:
            spoilt[i] = coarse(picture, cells, "nearest")[0]
        elif kind == 2:  # a blob as the subject
            spoilt[i] = torch.lerp(picture, blurred, mask)[0]
        elif kind == 3:  # two subjects mixed
            spoilt[i] = torch.lerp(picture, pixels[j : j + 1], torch.maximum(mask, masks[j]) / 2)[0]
        else:  # a bent subject
            bent = coarse(warped(picture, draw), 32, "bicubic").clamp(0, 1)
            spoilt[i] = torch.lerp(picture, bent, mask)[0]
        labels[i, [0, 2, 3]] = NOTHING
        if kind < 2:
            labels[i] = NOTHING
    return spoilt, labels


def _disturb(pixels: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Add slight noise, blur, brightness and shifts that do not hide a subject."""
    n = len(pixels)
    soft = coarse(pixels, int(draw.integers(56, 128, 1)), "bicubic")
    pixels = torch.lerp(pixels, soft, draw.uniform(0, 1, n, 1, 1, 1))
    pixels = pixels * draw.uniform(0.9, 1.1, n, 1, 1, 1)
    pixels = pixels + draw.uniform(0, 0.05, n, 1, 1, 1) * draw.normal(*pixels.shape)
    down, across = draw.integers(-6, 6, 2).tolist()
    padded = F.pad(pixels, (8, 8, 8, 8), mode="replicate")
    side = pixels.shape[-1]
    return padded[:, :, 8 + down : 8 + down + side, 8 + across : 8 + across + side].clamp(0, 1)


class Examples:
    def __init__(self, run: Run, *, looks: bool) -> None:
        config = dataclasses.replace(run.config, offsets=(-16, 0, 0, 16))
        if not looks:
            config = dataclasses.replace(
                config,
                styles=config.styles[:1],
                style_weights=(1.0,),
                count_weights=(1.0,),
                coloured_share=0.0,
            )
        self.run = dataclasses.replace(run, config=config)
        self.composer = Composer.of(self.run)

    def batch(self, count: int, *name: object, spoil: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures 0…1 and labels (n, heads)."""
        scenes = self.composer.compose(count, self.run.seed, "judge", *name)
        labels = torch.tensor([labels_of(spec) for spec in scenes.specs], device=self.run.device)
        draw = Draw(self.run.device, self.run.seed, "judge disturbs", *name)
        pixels = scenes.pixels
        if spoil:
            pixels, labels = _spoil(pixels, scenes.cover, labels, draw)
        return _disturb(pixels, draw), labels


def measure(judge: Judge, examples: Examples, count: int) -> dict[str, float]:
    """Measure on held-back real scenes, and count spoilt ones that it rightly calls "nothing"."""
    judge.eval()
    heads = len(judge.heads)
    hits, asked, refused, spoilt = torch.zeros(heads), torch.zeros(heads), 0, 0
    with torch.no_grad():
        for number in range(-(-count // BATCH)):
            pixels, labels = examples.batch(BATCH, "held back", number, spoil=False)
            labels = labels[:, :heads]
            said = torch.stack([logits.argmax(1) for logits in judge(pixels)], 1)
            shown = (labels[:, :1] != NOTHING) & (labels != UNASKED)
            hits += ((said == labels) & shown).sum(0).cpu()
            asked += shown.sum(0).cpu()
            pixels, labels = examples.batch(BATCH, "held back", number, spoil=True)
            nothing = labels[:, 0] == NOTHING
            refused += int((judge(pixels)[0].argmax(1)[nothing] == NOTHING).sum())
            spoilt += int(nothing.sum())
    judge.train()
    shares = (hits / asked.clamp(min=1)).tolist()
    facts = {name: round(share, 4) for name, share in zip(judge.heads, shares, strict=True)}
    return {**facts, "nothing": round(refused / max(spoilt, 1), 4)}


def real_diversity(examples: Examples) -> float:
    """Return the mean pixel distance between two real scenes of one prompt, over 30 prompts."""
    distances = []
    scenes = examples.composer.compose(30, examples.run.seed, "judge", "diversity")
    for number, spec in enumerate(scenes.specs):
        twins = examples.composer.compose_specs([spec] * 3, examples.run.seed, "twins", number)
        distances.append(mean_pairwise_distance(twins.pixels))
    return round(sum(distances) / len(distances), 4)


def mean_pairwise_distance(pictures: torch.Tensor) -> float:
    """Return the mean absolute difference of pixels 0…1 over all pairs."""
    n = len(pictures)
    pairs = [(pictures[i] - pictures[j]).abs().mean() for i in range(n) for j in range(i)]
    return float(torch.stack(pairs).mean())


def train(run: Run, weights: Path, earlier: Path | None = None, *, looks: bool = False) -> Loop:
    torch.manual_seed(run.seed)
    judge = Judge(tuple(HEADS) if looks else NAMING)
    if earlier is not None:
        judge.load_state_dict(load_file(earlier), strict=False)
    judge.to(run.device)
    parameters = list(judge.parameters())
    optimiser = torch.optim.AdamW(parameters, PEAK, weight_decay=0.02)
    average = Average(parameters, 0.99)
    state = {"judge": judge, "optimiser": optimiser, "average": average.values}
    loop = Loop(
        "judge",
        run.path("looks_judge" if looks else "judge"),
        run.config.judge_samples,
        BATCH,
        state,
        after_step=run.after_step,
    )
    loop.folder.mkdir(exist_ok=True)
    loop.load()
    examples = Examples(run, looks=looks)

    def rate() -> float:
        return learning_rate(PEAK, loop.seen, loop.total, BATCH, 0.8)

    for step in loop.steps(rate):
        pixels, labels = examples.batch(BATCH, step, spoil=True)
        said = judge(pixels)
        losses = [F.cross_entropy(head, labels[:, i]) for i, head in enumerate(said)]
        loss = torch.stack(losses).nansum()  # NaN if a batch has no label for a head
        optimiser.param_groups[0]["lr"] = rate()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average.update(step)
        loop.record(loss)
    if loop.is_finished:
        average.swap()
        ceiling = measure(judge, examples, CHECK_SCENES)
        save(judge, {**ceiling, "real_diversity": real_diversity(examples)}, weights)
        print(ceiling)
    return loop


def save(judge: Judge, facts: dict[str, float], path: Path) -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in judge.state_dict().items()
    }
    save_file(state, path, {"facts": json.dumps(facts)})


def load(path: Path = WEIGHTS) -> tuple[Judge, dict[str, float]]:
    """Load the judge, and its figures on held-back real scenes."""
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    judge = Judge(tuple(name for name in HEADS if f"heads.{name}.weight" in state))
    judge.load_state_dict(state)
    return judge.eval(), facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--init", type=Path, help="an earlier judge to begin from")
    parser.add_argument("--looks", action="store_true", help="the judge of number, colour, style")
    arguments = parser.parse_args()
    weights = LOOKS_WEIGHTS if arguments.looks else WEIGHTS
    train(run_from(arguments), weights, arguments.init, looks=arguments.looks)


if __name__ == "__main__":
    main()
