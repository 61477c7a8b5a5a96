"""How often a model is right: top-1, top-3 and top-5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .augment import normalised
from .images import Images, Normalisation

TOP = (1, 3, 5)


@dataclass(frozen=True)
class Accuracy:
    """Shares of images whose class is among the k highest logits; of k up to the classes."""

    images: int
    correct: dict[int, int]

    def top(self, k: int) -> float | None:
        """Return the top-k accuracy from 0 to 1; None where there are not more than k classes."""
        return self.correct[k] / self.images if k in self.correct else None

    def in_words(self) -> str:
        """Return e.g. "top-1 70.85 %, top-3 92.88 %"."""
        return ", ".join(
            f"top-{k} {count / self.images:.2%}".replace("%", " %")
            for k, count in self.correct.items()
        )

    def as_dict(self) -> dict[str, float]:
        return {f"top{k}": round(count / self.images, 6) for k, count in self.correct.items()}


def evaluate(
    model: nn.Module,
    images: Images,
    norm: Normalisation,
    batch: int = 256,
    on_progress: Callable[[int, int], None] | None = None,
) -> Accuracy:
    """Return how often the model, in fp32 and without augmentation, is right on the images."""
    device = next(model.parameters()).device
    ks = [k for k in TOP if k == 1 or k < len(images.classes)]
    correct = dict.fromkeys(ks, 0)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(images.pixels[start : start + batch])
            labels = torch.from_numpy(images.labels[start : start + batch]).to(device)
            logits = model(normalised(pixels, norm).to(device))
            for k, count in hits(logits, labels, ks).items():
                correct[k] += count
            if on_progress is not None:
                on_progress(min(start + batch, len(images)), len(images))
    model.train(was_training)
    return Accuracy(len(images), correct)


def hits(logits: Tensor, labels: Tensor, ks: list[int]) -> dict[int, int]:
    """Return for every k how many rows have their label among the k highest logits."""
    found = logits.topk(max(ks), dim=-1).indices == labels[:, None]
    return {k: int(found[:, :k].any(dim=-1).sum()) for k in ks}
