"""A teacher from a folder: one of ours, of timm, or an image classifier of Hugging Face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import create_model, create_spec
from ...models.hub import CONFIG
from ...models.json_object import read_json_object
from ...models.timm_folder import is_timm_config
from ..fit import refuse_texts
from ..model_folder import SPEC
from .hugging_face import from_hugging_face
from .opened import Opened
from .preprocessing import read_preprocessing
from .timm_model import from_timm_folder


def from_folder(folder: Path) -> Opened:
    """Return the folder's model: as one of our families where it is of one, else as its library's.

    Raises UserError for a folder of no model.
    """
    if (folder / SPEC).is_file():
        return _ours(folder)
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"`teacher` {folder} is not a folder of a model: it has no {SPEC} or {CONFIG}."
        )
    record, _ = read_json_object(folder / CONFIG)
    try:
        create_spec(folder)
    except UserError:
        of_timm = is_timm_config(record)
        return from_timm_folder(folder, record) if of_timm else from_hugging_face(folder, record)
    return replace(_ours(folder), names=_names(record))


def _ours(folder: Path) -> Opened:
    model = create_model(folder, checkpoint=folder)
    spec: Any = model.spec
    refuse_texts(spec, "a teacher of images", "; give another `teacher`")
    wanted = replace(read_preprocessing(folder), side=spec.resolution)
    return Opened(model, str(folder), wanted, spec.classes, spec.to_json(), spec.in_channels)


def _names(record: dict[str, Any]) -> list[str] | None:
    """Return the names of the classes in a config.json of Hugging Face or timm."""
    given = record.get("id2label")
    if isinstance(given, dict) and all(key.isdecimal() for key in given):
        return [str(given[key]) for key in sorted(given, key=int)]
    listed = record.get("label_names")
    return [str(name) for name in listed] if isinstance(listed, list) else None
