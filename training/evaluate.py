"""How often a model is right: top-1, top-3 and top-5, and of two classes of texts F1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..progress import OnProgress, no_progress
from .data.images import Images, Normalisation
from .data.texts import Texts
from .inputs import tested_batches

TOP = (1, 3, 5)


@dataclass(frozen=True)
class Accuracy:
    """Shares of images or texts whose class is among the k highest logits; k up to the classes.

    f1: of the second of two classes of texts, as GLUE has it for MRPC and QQP; else None.
    """

    images: int
    correct: dict[int, int]
    f1: float | None = None

    def top(self, k: int) -> float | None:
        """Return the top-k accuracy from 0 to 1; None where there are not more than k classes."""
        return self.correct[k] / self.images if k in self.correct else None

    def in_words(self) -> str:
        """Return e.g. "top-1 70.85 %, top-3 92.88 %"."""
        words = [f"top-{k} {count / self.images:.2%}" for k, count in self.correct.items()]
        words += [] if self.f1 is None else [f"F1 {self.f1:.2%}"]
        return ", ".join(words).replace("%", " %")

    def as_dict(self) -> dict[str, float]:
        found = {f"top{k}": round(count / self.images, 6) for k, count in self.correct.items()}
        return found if self.f1 is None else {**found, "f1": round(self.f1, 6)}


def evaluate(
    model: nn.Module,
    images: Images | Texts,
    norm: Normalisation | None,
    batch: int = 256,
    on_progress: OnProgress = no_progress,
    stage: str = "testing",
) -> Accuracy:
    """Return how often the model, in fp32 and without augmentation, is right on images or texts.

    norm: of images; texts have none. stage: what is shown of the work. Images on disk that cannot
    be read are left out where they are to be skipped.
    """
    what = "texts" if isinstance(images, Texts) else "images"
    device = next(model.parameters()).device
    ks = [k for k in TOP if k == 1 or k < len(images.classes)]
    correct = dict.fromkeys(ks, 0)
    # Of class 1: found rightly, and found or there, each counted by itself.
    both, either = 0, 0
    was_training = model.training
    model.eval()
    done, tested = 0, 0
    with torch.inference_mode():
        for inputs, classes, seen in tested_batches(images, norm, batch):
            done, tested = done + seen, tested + len(classes)
            labels = classes.to(device)
            logits = model(inputs.to(device))
            found = logits.argmax(dim=-1) == 1
            both += int((found & (labels == 1)).sum())
            either += int(found.sum() + (labels == 1).sum())
            for k, count in hits(logits, labels, ks).items():
                correct[k] += count
            on_progress(stage, done, len(images), what)
    model.train(was_training)
    has_f1 = isinstance(images, Texts) and len(images.classes) == 2
    return Accuracy(tested, correct, 2 * both / max(either, 1) if has_f1 else None)


def hits(logits: Tensor, labels: Tensor, ks: list[int]) -> dict[int, int]:
    """Return for every k how many rows have their label among the k highest logits."""
    found = logits.topk(max(ks), dim=-1).indices == labels[:, None]
    return {k: int(found[:, :k].any(dim=-1).sum()) for k in ks}
