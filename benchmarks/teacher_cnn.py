"""A convolutional teacher for images of 32 x 32, trained in an hour or so on two cores.

    python benchmarks/teacher_cnn.py --data cifar10 --out teacher [--epochs 20]
        [--autocast bf16] [--begin teacher.safetensors]

Writes teacher.onnx and preprocessor_config.json, as `vitprof train --teacher` takes them, and its
weights in fp16, from which `--begin` writes the same again without training. The
network and its hyperparameters are those of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a
Single GPU" (arXiv 2404.00498): a frozen layer that whitens patches of 2 x 2, three blocks of two
convolutions that begin as identities, SGD with Nesterov's momentum, images flipped in every second
epoch. A CNN, for DeiT learns more from one than from a transformer (Touvron et al. 2021, table 2).
The same command goes on after the last whole epoch where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset, Images

WIDTHS = (64, 256, 256)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
MOMENTUM = 0.85
# Learning rate and weight decay of 1024 images, as the paper gives them: over all the steps in
# which momentum lets a gradient count.
STEPS_OF_A_GRADIENT = 1024 * (1 + 1 / (1 - MOMENTUM))
RATE, DECAY, BIAS_RATE = 11.5, 0.0153, 64.0
SMOOTHING, SHIFT, SCALE = 0.2, 2, 1 / 9
BIAS_EPOCHS, AVERAGED_EVERY = 3, 5
# A fourth of a batch at a time stays in a processor's cache.
PARTS = 4


def normalisation(channels: int) -> nn.BatchNorm2d:
    # 0.4 for a batch of 1000 images, the paper's; they are computed in PARTS.
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=1 - 0.6 ** (1 / PARTS))
    norm.weight.requires_grad = False
    return norm


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, padding="same", bias=False)
    nn.init.dirac_(made.weight[:inputs])
    return made


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, outputs),
        nn.MaxPool2d(2),
        normalisation(outputs),
        nn.GELU(),
        convolution(outputs, outputs),
        normalisation(outputs),
        nn.GELU(),
    )


class Teacher(nn.Module):
    """Normalised images n x 3 x 32 x 32 -> logits n x classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        widths = (24, *WIDTHS)
        self.blocks = nn.Sequential(
            nn.GELU(),
            *(block(a, b) for a, b in zip(widths, WIDTHS, strict=False)),
            nn.MaxPool2d(3),
            nn.Flatten(),
        )
        self.head = nn.Linear(WIDTHS[-1], classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(self.whiten(images))) * SCALE

    @torch.no_grad()
    def whiten_by(self, images: Tensor) -> None:
        """Make the first layer's filters the patches' directions of variance 1, of both signs."""
        patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values + 5e-4).sqrt()).T.flip(0).reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        nn.init.zeros_(self.whiten.bias)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return every image moved by up to SHIFT pixels, its border mirrored."""
    side = images.shape[-1]
    padded = F.pad(images, (SHIFT,) * 4, mode="reflect")
    offsets = torch.randint(0, 2 * SHIFT + 1, (2, len(images)), generator=generator)
    rows, columns = (o[:, None] + torch.arange(side) for o in offsets)
    place = torch.arange(len(images))
    return padded[place[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )


def factor_at(step: int, steps: int) -> float:
    """Return the factor of the learning rate: up from 0.2 to 1 at 23 %, down to 0.07."""
    return float(np.interp(step / steps, [0, 0.23, 1], [0.2, 1, 0.07]))


@torch.no_grad()
def top1(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    model.eval()
    right = sum(
        int((model(some).argmax(1) == wanted).sum())
        for some, wanted in zip(images.split(500), labels.split(500), strict=True)
    )
    model.train()
    return right / len(labels)


def normalised(part: Images) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (MEAN, STD))
    ready = (torch.from_numpy(part.array()).float() / 255 - mean) / std
    return ready.contiguous(memory_format=torch.channels_last), torch.from_numpy(part.labels)


def optimizer_of(model: nn.Module, batch: int) -> torch.optim.SGD:
    rate = RATE / STEPS_OF_A_GRADIENT
    decay = DECAY * batch / STEPS_OF_A_GRADIENT
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    biases = [parameter for parameter in learned if parameter.ndim == 1]
    others = [parameter for parameter in learned if parameter.ndim > 1]
    groups = [
        {"params": group, "lr": r, "initial": r, "weight_decay": decay / r}
        for group, r in ((biases, rate * BIAS_RATE), (others, rate))
    ]
    return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)


def train(model: Teacher, data: Dataset, kept: Path, epochs: int, batch: int, bf16: bool) -> float:
    """Train it, going on after the last epoch that is kept; return the minutes that it took."""
    images, labels = normalised(data.train)
    test = normalised(data.test)
    model.whiten_by(images[:5000])
    optimizer = optimizer_of(model, batch)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    an_epoch = len(images) // batch
    steps = an_epoch * epochs
    flips = torch.rand(len(images), generator=torch.Generator().manual_seed(1)) < 0.5
    first, seconds = 0, 0.0
    if kept.is_file():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average, first, seconds = state["average"], state["epoch"], state["seconds"]
    for epoch in range(first, epochs):
        began = time.monotonic()
        generator = torch.Generator().manual_seed(100 + epoch)
        order = torch.randperm(len(images), generator=generator)
        model.whiten.bias.requires_grad = epoch < BIAS_EPOCHS
        turned = flips if epoch % 2 == 0 else ~flips
        for nth, chosen in enumerate(order[: an_epoch * batch].split(batch)):
            step = epoch * an_epoch + nth
            for group in optimizer.param_groups:
                group["lr"] = group["initial"] * factor_at(step, steps)
            some = images[chosen]
            some = torch.where(turned[chosen, None, None, None], some.flip(3), some)
            some = shifted(some, generator).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad(set_to_none=True)
            for part, wanted in zip(some.chunk(PARTS), labels[chosen].chunk(PARTS), strict=True):
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    logits = model(part)
                F.cross_entropy(
                    logits.float(), wanted, label_smoothing=SMOOTHING, reduction="sum"
                ).backward()
            optimizer.step()
            if (step + 1) % AVERAGED_EVERY == 0 or step + 1 == steps:
                # Lookahead (Zhang et al. 2019) whose slow weights follow less and less closely.
                keep = 1.0 if step + 1 == steps else 0.95**5 * (step / steps) ** 3
                with torch.no_grad():
                    for name, value in model.state_dict().items():
                        if value.is_floating_point():
                            average[name].lerp_(value, 1 - keep)
                            value.copy_(average[name])
        seconds += time.monotonic() - began
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"average": average, "epoch": epoch + 1, "seconds": seconds}
        torch.save(state, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)
        accuracy = top1(model, *test)
        print(f"epoch {epoch + 1}: top-1 {accuracy:.2%}, {seconds / 60:.1f} min", flush=True)
    return seconds / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--autocast", choices=["bf16", "fp32"], default="fp32")
    parser.add_argument("--begin", type=Path, help="weights to take, in place of training")
    arguments = parser.parse_args()
    folder = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    data = load_dataset(arguments.data, 32)
    model = Teacher(len(data.train.classes)).to(memory_format=torch.channels_last)
    report: dict[str, float] = {"epochs": arguments.epochs}
    if arguments.begin:
        weights = load_file(arguments.begin)
        model.load_state_dict(
            {n: w.float() if w.is_floating_point() else w for n, w in weights.items()}
        )
    else:
        kept, bf16 = folder / "state.pt", arguments.autocast == "bf16"
        report["minutes"] = train(model, data, kept, arguments.epochs, arguments.batch, bf16)
        half = {n: w.half() if w.is_floating_point() else w for n, w in model.state_dict().items()}
        save_file({n: w.contiguous() for n, w in half.items()}, folder / "teacher.safetensors")
    report["top1"] = top1(model, *normalised(data.test))
    model.eval()
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, 32, 32),),
        folder / "teacher.onnx",
        input_names=["images"],
        output_names=["logits"],
        dynamic_axes={"images": {0: "n"}, "logits": {0: "n"}},
        dynamo=False,
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": MEAN, "image_std": STD, "size": {"height": 32, "width": 32}})
    )
    (folder / "report.json").write_text(json.dumps(report) + "\n")
    print(report)


if __name__ == "__main__":
    main()
