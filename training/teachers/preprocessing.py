"""What images a model expects: how they are normalised, and of what size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from ...models.hub import CONFIG
from ...models.json_object import read_json_object
from ...models.timm_folder import is_timm_config
from ..data.images import Normalisation
from ..expected_view import BY_NUMBER
from ..model_folder import PREPROCESSOR, read_normalisation

LARGEST_SIDE = 4096
# What torch can scale a batch by; the others are taken for bicubic.
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """The images that a model expects.

    norm: of pixels from 0 to 1; side: their height and width in pixels. Either is None where
    nothing says it: then the model takes images as they come.
    """

    norm: Normalisation | None = None
    side: int | None = None
    interpolation: str = "bicubic"


def read_preprocessing(folder: Path) -> Preprocessing:
    """Return what Hugging Face's preprocessor_config.json says, or timm's config.json.

    `crop_pct` and sizes before a crop are not used: of the student's images a teacher sees the
    whole. Raises UserError for values that cannot be, and channels in another order.
    """
    norm = read_normalisation(folder)
    if (folder / PREPROCESSOR).is_file():
        record, source = read_json_object(folder / PREPROCESSOR)
        if record.get("do_flip_channel_order"):
            raise UserError(
                f"{source}: the model takes blue, green and red in this order, which a teacher "
                "cannot; give another."
            )
        resample = record.get("resample")
        return Preprocessing(
            _as_computed(record, norm, source),
            _side_of(record, source),
            _of_torch(BY_NUMBER.get(resample) if isinstance(resample, int) else None),
        )
    if (folder / CONFIG).is_file():
        record, source = read_json_object(folder / CONFIG)
        if is_timm_config(record) and isinstance(record.get("pretrained_cfg"), dict):
            return of_timm(record["pretrained_cfg"], source)
    return Preprocessing(norm)


def of_timm(config: Mapping[str, Any], source: str) -> Preprocessing:
    """Return what a `pretrained_cfg` of timm's says."""
    mean, std, size = config.get("mean"), config.get("std"), config.get("input_size")
    norm = None
    if isinstance(mean, list | tuple) and isinstance(std, list | tuple):
        norm = Normalisation(tuple(map(float, mean)), tuple(map(float, std)))
    interpolation = config.get("interpolation")
    return Preprocessing(
        norm,
        _square(size[1:], source) if isinstance(size, list | tuple) and len(size) == 3 else None,
        _of_torch(interpolation),
    )


def _of_torch(interpolation: Any) -> str:
    return interpolation if interpolation in _INTERPOLATIONS else "bicubic"


def _as_computed(
    record: Mapping[str, Any], norm: Normalisation | None, source: str
) -> Normalisation | None:
    """Return the normalisation of pixels from 0 to 1 of (bytes · factor - offset - mean) / std."""
    if record.get("do_normalize") is False:
        norm = replace(norm, mean=(0.0,) * 3, std=(1.0,) * 3) if norm else _PLAIN
    if norm is None:
        return None
    factor = 1.0 if record.get("do_rescale") is False else record.get("rescale_factor", 1 / 255)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
        raise UserError(f"{source}: rescale_factor={shown(factor)} has to be a number above 0.")
    scale, offset = 255 * factor, 1.0 if record.get("rescale_offset") else 0.0
    # EfficientNet's processor divides by the deviation a second time for a model with a classifier.
    again = record.get("include_top") is True
    if abs(scale - 1) < 1e-6 and not offset and not again:
        return norm
    return Normalisation(
        tuple((mean + offset) / scale for mean in norm.mean),
        tuple((std**2 if again else std) / scale for std in norm.std),
    )


_PLAIN = Normalisation((0.0,) * 3, (1.0,) * 3)


def _side_of(record: Mapping[str, Any], source: str) -> int | None:
    """Return the side of an image once it is scaled and cut."""
    for field, flag in (("crop_size", "do_center_crop"), ("size", "do_resize")):
        size = record.get(field)
        if size is None or record.get(flag, field == "size") is False:
            continue
        if isinstance(size, dict):
            edge = size.get("shortest_edge")
            size = (size.get("height", edge), size.get("width", edge))
        return _square(size if isinstance(size, list | tuple) else (size, size), source)
    return None


def _square(sides: Any, source: str) -> int:
    """Return the side of a square; UserError for what is none."""
    whole = [side for side in sides if isinstance(side, int) and not isinstance(side, bool)]
    if len(whole) != 2 or whole[0] != whole[1] or not 1 <= whole[0] <= LARGEST_SIDE:
        raise UserError(
            f"{source}: the size of images is {shown(tuple(sides))}; a teacher takes squares of 1 "
            f"to {LARGEST_SIDE} pixels a side."
        )
    return whole[0]
