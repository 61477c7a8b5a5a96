"""Once-for-All's nets: a net.config of its MobileNetV3 as the blocks that its latency tables hold.

Such a table names a block by its shapes, the width between expansion and projection, kernel,
stride and flags (Cai et al. 2020, and the file's own keys); the sum over a net's blocks is the
latency that the net is published with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from .block import Block
from .checks import check_whole_number, shown
from .families.foreign.spec import ForeignSpec
from .json_object import read_json_object

# The side of images where no run.config stands beside the net.config.
USUAL_SIZE = 224
LARGEST_SIZE = 4096


def is_once_for_all(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object describes a net as Once-for-All writes it."""
    return "first_conv" in record and "blocks" in record and "classifier" in record


def spec_of_once_for_all(record: Mapping[str, Any], name: str, size: int) -> ForeignSpec:
    """Return the blocks of a net.config for images of `size` x `size`.

    Raises UserError for a net other than MobileNetV3 (its tables have other keys), and for a field
    that is missing or out of range.
    """
    if "final_expand_layer" not in record:
        raise UserError(
            f"the net {shown(record.get('name'))} is none of Once-for-All's MobileNetV3 "
            "(it has no 'final_expand_layer'), and the tables of others have other keys; give a "
            "net.config of a MobileNetV3."
        )
    check_whole_number("image_size", size, 32, LARGEST_SIZE)
    blocks = list(_blocks(record, size))
    return ForeignSpec.of(blocks, name=name, inputs=(("image", (1, 3, size, size)),))


def size_beside(path: Path) -> int:
    """Return the image size that the run.config beside a net.config says, else the usual one."""
    beside = path.with_name("run.config")
    if not beside.is_file():
        return USUAL_SIZE
    record, source = read_json_object(beside)
    size = record.get("image_size", USUAL_SIZE)
    if not isinstance(size, int) or isinstance(size, bool):
        raise UserError(f"{source}: image_size={shown(size)} is not a whole number.")
    return size


def _blocks(record: Mapping[str, Any], size: int) -> Iterator[Block]:
    side = (size + 1) // 2
    yield _conv(record, "first_conv", size, side, 1, 3)
    if not isinstance(record["blocks"], list):
        raise UserError(f"blocks={shown(record['blocks'])} must be a list.")
    for place, block in enumerate(record["blocks"]):
        where = f"blocks[{place}]"
        inner = _object(block, where)
        conv = inner.get("mobile_inverted_conv", inner.get("conv"))
        if conv is None or _object(conv, where).get("name") == "ZeroLayer":
            continue
        made = _mobile_conv(_object(conv, where), where, side, inner.get("shortcut") is not None)
        side = made["out_resolution"]
        yield made
    yield _conv(record, "final_expand_layer", side, side, 2)
    pooled = _number(record, "final_expand_layer", "out_channels")
    yield Block.of(
        "ofa_pool", resolution=side, in_channels=pooled, out_channels=pooled, out_resolution=1
    )
    yield _conv(record, "feature_mix_layer", 1, 1, 3)
    yield Block.of(
        "ofa_logits",
        in_channels=_number(record, "classifier", "in_features"),
        classes=_number(record, "classifier", "out_features"),
    )


def _mobile_conv(conv: Mapping[str, Any], where: str, side: int, skip: bool) -> Block:
    inner = _whole(conv, "in_channels", where)
    stride = _whole(conv, "stride", where)
    expanded = conv.get("mid_channels")
    if expanded is None:
        ratio = conv.get("expand_ratio")
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio <= 100:
            raise UserError(f"{where}: expand_ratio={shown(ratio)} is not a number from 0 to 100.")
        expanded = round(inner * ratio)
    else:
        expanded = _whole(conv, "mid_channels", where)
    return Block.of(
        "ofa_block",
        resolution=side,
        in_channels=inner,
        out_channels=_whole(conv, "out_channels", where),
        out_resolution=(side - 1) // stride + 1,
        expanded=expanded,
        kernel=_whole(conv, "kernel_size", where),
        stride=stride,
        skip=1 + skip,
        squeeze_excite=1 + bool(conv.get("use_se")),
        hard_swish=1 + (conv.get("act_func") == "h_swish"),
    )


def _conv(
    record: Mapping[str, Any],
    name: str,
    side: int,
    out_side: int,
    place: int,
    inner: int | None = None,
) -> Block:
    return Block.of(
        "ofa_conv",
        resolution=side,
        in_channels=inner or _number(record, name, "in_channels"),
        out_channels=_number(record, name, "out_channels"),
        out_resolution=out_side,
        place=place,
    )


def _number(record: Mapping[str, Any], name: str, field: str) -> int:
    return _whole(_object(record.get(name), name), field, name)


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} is {shown(value)}, not a JSON object.")
    return value


def _whole(record: Mapping[str, Any], field: str, where: str) -> int:
    value = record.get(field)
    check_whole_number(f"{where}: {field}", value, 1, 1_000_000)
    assert isinstance(value, int)
    return value
