"""The choices of EfficientViT that the paper ablates (Table 6, Fig. 7), and widths and depths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ...ablations import Choice
from ...ops.codes import NORMS
from ...spec import Spec
from .spec import STEM_NARROWING, EfficientViTSpec

# The width of a query and key that is a head's share of the channels: no allocation (Table 6, #7).
SPLIT = "C/h"
_ATTENTIONS = {
    "cga": {"attention": "cga", "cascade": True},
    "cga without cascade": {"attention": "cga", "cascade": False},
    "mhsa": {"attention": "mhsa", "cascade": False},
}
_FFNS = {
    "swin": {"ffns_before": 0, "ffns_after": 1},
    **{str(n): {"ffns_before": n, "ffns_after": n} for n in (1, 2, 3)},
}


def _fields(name: str, options: dict[str, dict[str, Any]]) -> Choice:
    """Return the choice whose options set fields of the spec."""

    def of(spec: Spec) -> str | None:
        for option, values in options.items():
            if all(getattr(spec, field) == value for field, value in values.items()):
                return option
        return None

    def setting(values: dict[str, Any]) -> Callable[[Spec], Spec]:
        return lambda spec: replace(spec, **values)

    return Choice(name, {option: setting(values) for option, values in options.items()}, of)


def _one_field(field: str, *values: Any) -> Choice:
    return _fields(field, {_shown(value): {field: value} for value in values})


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _qk() -> Choice:
    """Return the choice of Q's and K's width: some numbers, and C/h, the width of V by default."""
    own = _one_field("qk", 4, 8, 16, 32)

    def of(spec: Spec) -> str | None:
        is_split = cast(EfficientViTSpec, spec).qks == _splits(spec)
        return own.of(spec) or (SPLIT if is_split else None)

    return Choice("qk", {**own.options, SPLIT: lambda s: replace(s, qk=_splits(s))}, of)  # type: ignore[call-arg]


def _splits(spec: Spec) -> tuple[int, ...]:
    return tuple(stage.embed // stage.heads for stage in cast(EfficientViTSpec, spec).stages)


def _with_width(factor: float, spec: Spec) -> Spec:
    """Return the spec with every stage's width scaled, to a multiple of 8 that the heads divide.

    Q and K as wide as a head's share of the channels stay so.
    """
    own = cast(EfficientViTSpec, spec)
    stages = []
    for stage in own.stages:
        step = STEM_NARROWING * stage.heads
        stages.append(replace(stage, embed=max(round(factor * stage.embed / step), 1) * step))
    scaled = replace(own, stages=tuple(stages))
    return replace(scaled, qk=_splits(scaled)) if own.qks == _splits(own) else scaled


def _with_depth(factor: float, spec: Spec) -> Spec:
    """Return the spec with every stage's depth scaled, at least one layer."""
    own = cast(EfficientViTSpec, spec)
    return replace(
        own,
        stages=tuple(
            replace(stage, depth=max(round(factor * stage.depth), 1)) for stage in own.stages
        ),
    )


CHOICES: tuple[Choice, ...] = (
    _fields("ffns", _FFNS),
    _fields("attention", _ATTENTIONS),
    _qk(),
    _one_field("v_ratio", 0.4, 0.6, 0.8, 1.0, 1.2),
    _one_field("ffn_ratio", 2.0, 4.0),
    _one_field("dwconv", True, False),
    _one_field("norm", *NORMS),
    _one_field("activation", "relu", "hardswish", "gelu"),
    Choice(
        "width",
        {str(factor): partial(_with_width, factor) for factor in (0.5, 0.75, 1.0)},
        lambda _: "1.0",
    ),
    Choice(
        "depth",
        {str(factor): partial(_with_depth, factor) for factor in (0.5, 1.0, 2.0)},
        lambda _: "1.0",
    ),
)
