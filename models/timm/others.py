"""timm's Swin Transformers, EfficientViTs and VGGs as specs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ..families.efficientvit.known import known_efficientvits
from ..families.efficientvit.spec import EfficientViTSpec
from ..families.swin.spec import SwinSpec
from ..families.vgg.known import known_vggs
from ..families.vgg.spec import VggSpec
from .arguments import Arguments

# embed, depths, heads: Liu et al. 2021, section 3.3 (a head is 32 wide).
_SWINS: Mapping[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "large": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
}
_SWIN_NAME = re.compile(r"^swin_(tiny|small|base|large)_patch4_window(\d+)_\d+$")
_WITHOUT_EFFECT = (
    *("drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate", "weight_init"),
    *("strict_img_size", "fixed_input_size"),
)


def swin_lacks(arch: str) -> str | None:
    """Return what a Swin of this name has that vitprof's has not, None for nothing."""
    if arch.startswith("swin_s3_"):
        return "has windows of another side in each stage, vitprof's Swin of one side in all"
    return None


def swin_spec(arch: str, given: Mapping[str, Any], resolution: int, classes: int) -> SwinSpec:
    """Return the spec of a Swin's name and timm's arguments."""
    match = _SWIN_NAME.match(arch)
    assert match is not None, arch
    embed, depths, heads = _SWINS[match[1]]
    a = Arguments(arch, given)
    a.ignore(*_WITHOUT_EFFECT)
    a.one_of("global_pool", "avg", ("avg",))
    ratio = a.ratio("mlp_ratio", 4)
    spec = SwinSpec.uniform(
        a.number("embed_dim", embed),
        a.numbers("depths", depths),
        a.numbers("num_heads", heads),
        int(ratio) if ratio == int(ratio) else ratio,  # type: ignore[arg-type]
        patch=a.side("patch_size", 4),
        window=a.side("window_size", int(match[2])),
        resolution=a.side("img_size", resolution),
        in_channels=a.number("in_chans", 3),
        classes=a.number("num_classes", classes),
        name=arch,
    )
    a.refuse_others()
    return spec


@cache
def _efficientvits() -> dict[str, EfficientViTSpec]:
    return {spec.name.replace("-", "_"): spec for spec in known_efficientvits()}


def efficientvit_spec(
    arch: str, given: Mapping[str, Any], resolution: int, classes: int
) -> EfficientViTSpec:
    """Return the spec of an EfficientViT's name and timm's arguments."""
    a = Arguments(arch, given)
    a.ignore(*_WITHOUT_EFFECT)
    a.one_of("global_pool", "avg", ("avg",))
    spec = replace(
        _efficientvits()[arch],
        name=arch,
        resolution=a.side("img_size", resolution),
        in_channels=a.number("in_chans", 3),
        classes=a.number("num_classes", classes),
    )
    a.refuse_others()
    return spec


@cache
def _vggs() -> dict[str, VggSpec]:
    return {spec.name.replace("-", "_"): spec for spec in known_vggs()}


def vgg_lacks(arch: str) -> str | None:
    """Return what a VGG of this name has that vitprof's has not, None for nothing."""
    return None if arch in _vggs() else "has no batch norms, which vitprof's VGG has"


def vgg_spec(arch: str, given: Mapping[str, Any], resolution: int, classes: int) -> VggSpec:
    """Return the spec of a VGG's name and timm's arguments."""
    a = Arguments(arch, given)
    a.ignore(*_WITHOUT_EFFECT)
    a.one_of("global_pool", "avg", ("avg",))
    spec = replace(
        _vggs()[arch],
        name=arch,
        resolution=resolution,
        in_channels=a.number("in_chans", 3),
        classes=a.number("num_classes", classes),
    )
    a.refuse_others()
    return spec
