"""timm's names of models as specs, without timm and without torch.

timm/names.json lists the names of the families that vitprof has, with each pretrained tag's number
of classes; what a name is made of is read from its words (`timm/vits.py`, `timm/others.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError, did_you_mean
from .checks import shown
from .spec import Spec


class TimmName(NamedTuple):
    """An architecture of timm: pixels of an image's side, and classes by tag, the default first."""

    resolution: int
    tags: Mapping[str, int]


@dataclass(frozen=True)
class _Kind:
    """How names that begin so become specs; lacks: name -> what vitprof cannot express of it."""

    beginnings: tuple[str, ...]
    spec: Callable[[str, Mapping[str, Any], int, int], Spec]
    lacks: Callable[[str], str | None]


@cache
def _kinds() -> tuple[_Kind, ...]:
    from .timm import others, vits

    return (
        _Kind(("swin_",), others.swin_spec, others.swin_lacks),
        _Kind(("efficientvit_",), others.efficientvit_spec, lambda _: None),
        _Kind(("vgg",), others.vgg_spec, others.vgg_lacks),
        _Kind(("",), vits.vit_spec, vits.vit_lacks),
    )


@cache
def _record() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "timm" / "names.json").read_text("utf-8"))


@cache
def timm_architectures() -> Mapping[str, TimmName]:
    """Return timm's architectures of vitprof's families by name, expressible or not."""
    return {name: TimmName(**one) for name, one in _record()["names"].items()}


def is_timm_name(name: str) -> bool:
    """Whether timm has an architecture of this name, with a tag or without, in our families."""
    return _today(name).partition(".")[0] in timm_architectures()


def _today(name: str) -> str:
    """Return the name with its tag that timm has today for one of its old names."""
    return _record()["old"].get(name) or name


def timm_names() -> list[str]:
    """Return the names, without tags, that `timm_spec` takes."""
    return [name for name in timm_architectures() if timm_lacks(name) is None]


def timm_lacks(name: str) -> str | None:
    """Return what the architecture has that vitprof's families have not, None for nothing."""
    arch = _today(name).partition(".")[0]
    return _kind(arch).lacks(arch)


def _kind(arch: str) -> _Kind:
    return next(kind for kind in _kinds() if arch.startswith(kind.beginnings))


def timm_spec(name: str, **model_args: Any) -> Spec:
    """Return the spec of a timm name, such as `vit_small_patch16_384.augreg_in21k_ft_in1k`.

    The tag decides the number of classes; without one it is that of timm's default tag.
    model_args: arguments of timm's `create_model` that override the name's own: num_classes,
    img_size, in_chans, embed_dim, depth, num_heads, mlp_ratio, class_token, global_pool,
    reg_tokens, init_values, ...

    Raises UserError for a name that is not among timm's of vitprof's families, and a tag that the
    architecture has not, each with the nearest that there is; for an architecture of which
    vitprof's families lack a detail, naming it; and for an argument that is wrong or cannot be
    followed.
    """
    given = name
    arch, _, tag = _today(name).partition(".")
    known = timm_architectures()
    if arch not in known:
        raise UserError(
            f"timm has no model {shown(given)} of vitprof's families"
            f"{did_you_mean(arch, list(known))}; vitprof models --search lists them."
        )
    tags = known[arch].tags
    if tag and tag not in tags:
        raise UserError(
            f"{arch} has no pretrained tag {shown(tag)}{did_you_mean(tag, list(tags))}; its tags "
            f"are {', '.join(tags)}."
        )
    lacks = timm_lacks(arch)
    if lacks:
        raise UserError(f"{arch} {lacks}; give timm:{arch} to take it as a foreign model.")
    classes = tags[tag] if tag else next(iter(tags.values()))
    spec = _kind(arch).spec(arch, model_args, known[arch].resolution, classes)
    return replace(spec, name=given)
