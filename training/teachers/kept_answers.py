"""A teacher that is asked about an image once: its answers are kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...atomic_write import write_atomically
from ...errors import UserError
from ..plan import TrainingPlan
from .adapted import Adapted
from .answer_files import KEY_BYTES, AnswerFiles
from .read import read_teacher

if TYPE_CHECKING:
    from ..data.images import Dataset, Normalisation

# How far a normalised byte may be from a whole number once it is computed back.
TOLERANCE = 0.02


class KeptAnswers(nn.Module):
    """Images, normalised as the student sees them, -> a teacher's logits, n x classes in fp32.

    An image is known by its bytes, computed back from the normalised pixels, so that answers serve
    students of other normalisations too; what is not an image of bytes is answered and not kept.
    Files are written as enough answers wait, when a batch is known whole (the second epoch has
    begun), and when the module goes.
    """

    def __init__(self, teacher: Adapted, files: AnswerFiles) -> None:
        super().__init__()
        self.teacher, self.files = teacher, files
        self.mean = np.array(teacher.norm.mean, np.float32)[:, None, None]
        self.std = np.array(teacher.norm.std, np.float32)[:, None, None]
        weakref.finalize(self, files.save)

    def forward(self, images: Tensor) -> Tensor:
        keys = self.keys(images)
        asked = [place for place, key in enumerate(keys) if key is None or key not in self.files]
        answers = np.empty((len(keys), self.teacher.classes), np.float32)
        if asked:
            some = images if len(asked) == len(keys) else images[asked]
            answers[asked] = self.teacher(some).detach().float().cpu().numpy()
        else:
            self.files.save()
        new = set(asked)
        for place, key in enumerate(keys):
            if place not in new and key is not None:
                answers[place] = self.files[key]
        for place in asked:
            key = keys[place]
            if key is not None and np.isfinite(answers[place]).all():
                self.files.add(key, answers[place].copy())
        return torch.from_numpy(answers).to(images.device)

    def keys(self, images: Tensor) -> list[bytes | None]:
        """Return a key for each image, None for one whose pixels are not bytes."""
        values = images.detach().float().cpu().numpy() * self.std + self.mean
        values *= 255
        whole = np.rint(values)
        plain = (np.abs(values - whole) < TOLERANCE) & (whole >= 0) & (whole <= 255)
        shape = str(values.shape[1:]).encode()
        return [
            hashlib.blake2b(shape + image.tobytes(), digest_size=KEY_BYTES).digest()
            if fits
            else None
            for image, fits in zip(
                np.where(plain, whole, 0).astype(np.uint8),
                plain.reshape(len(plain), -1).all(axis=1),
                strict=True,
            )
        ]


def keeping_answers(
    teacher: Adapted, folder: str | os.PathLike[str], plan: TrainingPlan
) -> KeptAnswers:
    """Return the teacher, whose answers are kept in a folder, in one of its own for each teacher.

    Raises UserError where the plan augments images, and for a folder that cannot be written.
    """
    _check_plain(plan)
    digest = digest_of(teacher, plan.autocast)
    own = Path(folder) / digest
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"`teacher_cache` {folder} cannot be written: {error.strerror}.") from None
    record = {"teacher": teacher.title, "classes": teacher.classes, "autocast": plan.autocast}
    write_atomically(own / "teacher.json", json.dumps(record, indent=2) + "\n")
    return KeptAnswers(teacher, AnswerFiles(own, teacher.classes))


def read_or_keep(
    teacher: str | os.PathLike[str],
    cache: str | os.PathLike[str] | None,
    device: torch.device,
    data: Dataset,
    norm: Normalisation,
    plan: TrainingPlan,
) -> nn.Module:
    """Return what `read_teacher` does, with its answers kept where a folder is given for them."""
    if cache is not None:
        _check_plain(plan)
    read = read_teacher(teacher, device, data, norm)
    return read if cache is None else keeping_answers(read, cache, plan)


def _check_plain(plan: TrainingPlan) -> None:
    """Raise UserError where images are augmented, as each is another one then."""
    if plan.augment != "none":
        raise UserError(
            f"`teacher_cache` keeps a teacher's answers to the images as they are, and `augment` "
            f"{plan.augment} makes others of them; use `augment` none, or no `teacher_cache`."
        )


def digest_of(teacher: Adapted, autocast: str) -> str:
    """Return a digest of all that a teacher's answers to an image depend on.

    Weights, architecture, normalisation, size, order of classes, and the numbers it computes in.
    """
    order = None if teacher.order is None else teacher.order.tolist()
    made = [teacher.made_by, str(teacher.expects), order, autocast]
    digest = hashlib.sha256(json.dumps(made).encode())
    for name, tensor in sorted(teacher.teacher.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        bytes_of = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(bytes_of.numpy().tobytes())
    return digest.hexdigest()[:32]
