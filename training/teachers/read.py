"""Any model as a teacher of a student's images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ...models.hub import is_hub_id, weights_folder
from ...notes import note, warn
from .adapted import Adapted
from .classes import class_order
from .folder import from_folder
from .onnx_file import from_onnx
from .opened import Opened
from .timm_model import from_timm_name
from .torchvision_model import from_torchvision

if TYPE_CHECKING:
    import torch

    from ..data.images import Dataset, Normalisation

# Of these libraries a teacher is LIBRARY:NAME@FILE.
_LIBRARIES = {"timm": from_timm_name, "torchvision": from_torchvision}


def read_teacher(
    teacher: str | os.PathLike[str], device: torch.device, data: Dataset, norm: Normalisation
) -> Adapted:
    """Return a teacher: called with images as the student sees them, n x channels x h x w and
    normalised by `norm`, it returns logits, n x classes.

    teacher: the folder of a model, ours, timm's or Hugging Face's; an id of Hugging Face in the
    local cache; an ONNX file; timm:NAME@FILE or torchvision:NAME@FILE with a file of weights. Its
    own normalisation and size are used, and a note says so. Raises UserError where it is
    none, or tells other classes apart.
    """
    images = data.train
    opened = _opened(os.fspath(teacher), len(images.classes))
    order = class_order(opened.title, opened.classes, opened.names, images.classes)
    if opened.channels not in (images.channels, 3) or images.channels not in (1, opened.channels):
        raise UserError(
            f"{images.name} has {images.channels} channels and the teacher {opened.title} takes "
            f"{opened.channels}; give another teacher."
        )
    wanted = opened.wanted.norm
    if wanted is not None and len(wanted.mean) not in (1, opened.channels):
        raise UserError(
            f"the teacher {opened.title} takes {opened.channels} channels and is normalised for "
            f"{len(wanted.mean)}; correct its preprocessor_config.json."
        )
    adapted = Adapted(opened, norm, order)
    _say(opened, adapted, norm, images.resolution)
    return adapted.to(device).eval().requires_grad_(False)


def _opened(teacher: str, classes: int) -> Opened:
    kind, colon, rest = teacher.partition(":")
    if colon and kind in _LIBRARIES:
        name, at, file = rest.partition("@")
        if not at or not file:
            raise UserError(
                f"`teacher` {teacher} has no weights; give {kind}:NAME@FILE with a file of them, "
                "or a folder or id of Hugging Face."
            )
        weights = Path(file)
        beside = weights if weights.is_dir() else weights.parent
        return _LIBRARIES[kind](name, weights, classes, beside)
    path = Path(teacher)
    if path.is_dir():
        return from_folder(path)
    if path.is_file() and path.suffix == ".onnx":
        return from_onnx(path)
    if is_hub_id(teacher):
        return from_folder(weights_folder(teacher))
    raise UserError(
        f"`teacher` {teacher} is not a folder of a model, an id of Hugging Face in the local "
        "cache, an ONNX file, timm:NAME@FILE or torchvision:NAME@FILE."
    )


def _say(opened: Opened, adapted: Adapted, norm: Normalisation, side: int) -> None:
    """Say what the teacher sees where it is not what the student sees."""
    wanted, changes = opened.wanted, []
    if wanted.side is not None and wanted.side != side:
        changes.append(
            f"scaled from {side} to {wanted.side} pixels a side ({wanted.interpolation})"
        )
    if opened.channels != len(norm.mean):
        changes.append(f"with {opened.channels} channels of grey")
    if wanted.norm is None:
        warn(
            f"warning: nothing says how images are normalised for the teacher {opened.title}; it "
            "sees them as the student does. A preprocessor_config.json beside it with image_mean "
            "and image_std says it."
        )
    elif not adapted.same_norm:
        changes.append(
            f"normalised by mean {_row(wanted.norm.mean)} and deviation {_row(wanted.norm.std)}"
        )
    if changes:
        note(f"note: the teacher {opened.title} sees the images {_listed(changes)}.")


def _row(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)


def _listed(parts: list[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
