"""How a model expects its test images to be scaled and cut, as its configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError
from ..models.checks import shown
from ..models.hub import CONFIG
from ..models.json_object import read_json_object
from ..models.timm_folder import is_timm_config
from .data.view import INTERPOLATIONS, View
from .model_folder import PREPROCESSOR

# Pillow's numbers, which Hugging Face writes as `resample`.
BY_NUMBER = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def expected_view(weights: Path, side: int) -> View:
    """Return the view of test images at `side` pixels that the files beside the weights say.

    weights: a folder, or a file in it. Hugging Face's preprocessor_config.json counts, or timm's
    `pretrained_cfg`; where neither says anything, images are scaled to cover the square. Another
    side than the configuration's keeps its ratio of crop to image. Raises UserError for values that
    cannot be.
    """
    folder = weights if weights.is_dir() else weights.parent
    if (folder / PREPROCESSOR).is_file():
        record, source = read_json_object(folder / PREPROCESSOR)
        return _of_hugging_face(record, source, side)
    if (folder / CONFIG).is_file():
        record, source = read_json_object(folder / CONFIG)
        config = record.get("pretrained_cfg")
        if is_timm_config(record) and isinstance(config, dict):
            return _of_timm(config, source, side)
    return View(side)


def _of_timm(config: Mapping[str, Any], source: str, side: int) -> View:
    mode = config.get("crop_mode") or "center"
    if mode not in ("center", "squash"):
        raise UserError(
            f"{source}: crop_mode={shown(mode)} is not supported; center and squash are."
        )
    share = config.get("crop_pct")
    interpolation = config.get("interpolation") or "bicubic"
    return _view(
        source,
        side,
        1.0 if share is None else share,
        interpolation if interpolation in INTERPOLATIONS else "bicubic",
        "crop" if mode == "center" else "squash",
    )


def _of_hugging_face(record: Mapping[str, Any], source: str, side: int) -> View:
    size, crop = record.get("size"), record.get("crop_size")
    resample = _whole(record.get("resample"))
    interpolation = "bicubic" if resample is None else BY_NUMBER.get(resample, "bicubic")
    if size is None or record.get("do_resize") is False:
        return View(side, interpolation=interpolation)
    edges = size if isinstance(size, dict) else {"shortest_edge": size}
    shortest, height = _whole(edges.get("shortest_edge")), _whole(edges.get("height"))
    scaled = shortest or height
    if scaled is None:
        raise UserError(f"{source}: size={shown(size)} has to say pixels of an image's sides.")
    mode: Literal["crop", "squash"] = "crop" if shortest else "squash"
    if "crop_pct" in record and record["crop_pct"] is not None:
        # ConvNeXt's processor: below 384 pixels the image is scaled to size / crop_pct and cut.
        if scaled >= 384:
            return _view(source, side, 1.0, interpolation, "squash")
        return _view(source, side, record["crop_pct"], interpolation, "crop")
    if record.get("do_center_crop") and crop is not None:
        cut = _whole(crop.get("height") if isinstance(crop, dict) else crop)
        if cut is None:
            raise UserError(f"{source}: crop_size={shown(crop)} has to say pixels of a square.")
        return _view(source, side, cut / scaled, interpolation, mode)
    return _view(source, side, 1.0, interpolation, mode)


def _view(
    source: str, side: int, crop_pct: Any, interpolation: str, mode: Literal["crop", "squash"]
) -> View:
    number = isinstance(crop_pct, int | float) and not isinstance(crop_pct, bool)
    if not number or not 0 < crop_pct <= 1:
        raise UserError(
            f"{source}: an image is cut to {shown(crop_pct)} of its side; this has to be above 0 "
            "and at most 1."
        )
    return View(side, float(crop_pct), interpolation, mode)


def _whole(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if whole else None
