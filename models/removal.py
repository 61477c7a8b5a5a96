"""Taking one module out of a model: what is left is a smaller spec with the weights it keeps.

Only modules on a residual path can go: without them what came in goes on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ..errors import UserError
from . import AutoViTSpec, EfficientViTSpec, Spec, ViTLayer, ViTSpec, create_model


@dataclass(frozen=True)
class Module:
    """A part of a model that can be removed.

    name: e.g. "layers.3.attention", unique in its model; kind: what such modules have in common;
    left: the spec without it; weights: prefixes of the names of the weights that go with it;
    position: (list, place) of the entry that goes from a numbered list of modules, so that the
    entries behind it move up, None where nothing moves.
    """

    name: str
    kind: str
    left: Spec
    weights: tuple[str, ...]
    position: tuple[str, int] | None = None


def removable(spec: Spec) -> list[Module]:
    """Return the modules of a model that can be removed, each by itself, in the model's order.

    Of a ViT every attention, every MLP and every whole layer ("layers.3.attention", "layers.3.mlp",
    "layers.3"), but no attention whose keys say which tokens merge. Of an AutoViT the MBConvs
    behind the first of their stage and the transformer layers of stages that have several
    ("mbconvs.1.1", "transformers.0.layers.2"). Of an EfficientViT the layers of stages that have
    several ("stages.1.layers.0").

    Raises UserError for a model of another family, or in which nothing can be removed.
    """
    if spec.family not in _MODULES:
        raise UserError(
            f"modules of {spec.name} cannot be removed: its family is '{spec.family}', and "
            f"supported are {', '.join(_MODULES)}."
        )
    found = list(_MODULES[spec.family](spec))
    if not found:
        raise UserError(
            f"{spec.name} has no module that can be removed: each is the only one of its stage."
        )
    return found


def without(model: nn.Module, module: Module) -> nn.Module:
    """Return the model without the module, one of `removable(model.spec)`; the given one stays.

    It computes what the model does when the module hands on its input, and shares no weights with
    it; on the same device and in the same mode. Raises ValueError for another model's module.
    """
    spec: Any = model.spec
    if module not in removable(spec):
        raise ValueError(f"{module.name} was not found by removable(model.spec)")
    smaller = create_model(module.left).to(next(model.parameters()).device)
    smaller.load_state_dict(_left(model.state_dict(), module))
    return smaller.train(model.training)


def _left(weights: Mapping[str, Tensor], module: Module) -> dict[str, Tensor]:
    """Return the weights that stay, under the names that they have then."""
    prefixes = tuple(f"{prefix}." for prefix in module.weights)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(prefixes)}
    if module.position is None:
        return kept
    return {_moved_up(name, *module.position): tensor for name, tensor in kept.items()}


def _moved_up(name: str, entries: str, place: int) -> str:
    if not name.startswith(f"{entries}."):
        return name
    number, _, rest = name.removeprefix(f"{entries}.").partition(".")
    return f"{entries}.{int(number) - (int(number) > place)}.{rest}"


def _of_vit(spec: ViTSpec) -> Iterator[Module]:
    for number, layer in enumerate(spec.layers):
        name, weights = f"layers.{number}", f"blocks.{number}"
        merges = bool(spec.merges[number])
        if layer.heads and not merges:
            left = _with_layer(spec, number, replace(layer, heads=0))
            parts = (f"{weights}.norm1", f"{weights}.attn")
            yield Module(f"{name}.attention", "attention", left, parts)
        if layer.mlp:
            left = _with_layer(spec, number, replace(layer, mlp=0))
            yield Module(f"{name}.mlp", "mlp", left, (f"{weights}.norm2", f"{weights}.mlp"))
        if layer.heads and layer.mlp and not merges and spec.depth > 1:
            left = replace(
                spec,
                layers=_less(spec.layers, number),
                merges=_less(spec.merges, number),
            )
            yield Module(name, "layer", left, (weights,), ("blocks", number))


def _with_layer(spec: ViTSpec, number: int, layer: ViTLayer) -> ViTSpec:
    layers = list(spec.layers)
    layers[number] = layer
    return replace(spec, layers=tuple(layers))


def _of_autovit(spec: AutoViTSpec) -> Iterator[Module]:
    place = 1  # in spec.blocks(), behind the stem
    for number, conv in enumerate(spec.mbconvs):
        # The first one may change width or resolution; those behind it have a residual.
        for index in range(1, conv.depth):
            stages = _with_depth(spec.mbconvs, number)
            yield Module(
                f"mbconvs.{number}.{index}",
                "mbconv",
                replace(spec, mbconvs=stages),
                (f"blocks.{place + index}",),
                ("blocks", place + index),
            )
        place += conv.depth
    for number, stage in enumerate(spec.transformers):
        layers = f"blocks.{place + 1}.layers"  # behind the stage's own MBConv
        for index in range(stage.depth if stage.depth > 1 else 0):
            stages = _with_depth(spec.transformers, number)
            yield Module(
                f"transformers.{number}.layers.{index}",
                "layer",
                replace(spec, transformers=stages),
                (f"{layers}.{index}",),
                (layers, index),
            )
        place += 2


def _of_efficientvit(spec: EfficientViTSpec) -> Iterator[Module]:
    for number, stage in enumerate(spec.stages):
        layers = f"stages.{number}.blocks"
        for index in range(stage.depth if stage.depth > 1 else 0):
            yield Module(
                f"stages.{number}.layers.{index}",
                "layer",
                replace(spec, stages=_with_depth(spec.stages, number)),
                (f"{layers}.{index}",),
                (layers, index),
            )


def _with_depth(stages: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """Return the stages, one of them with a layer less."""
    return tuple(
        replace(stage, depth=stage.depth - 1) if place == number else stage
        for place, stage in enumerate(stages)
    )


def _less(entries: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*entries[:place], *entries[place + 1 :])


_MODULES: dict[str, Callable[[Any], Iterator[Module]]] = {
    "vit": _of_vit,
    "autovit": _of_autovit,
    "efficientvit": _of_efficientvit,
}
