"""What a Swin Transformer inherits of a larger one."""

from __future__ import annotations

from ...inheritance.slices import (
    Inheritance,
    Ranges,
    Slice,
    check_same,
    check_within,
    first,
    joined,
    of_heads,
)
from ..vit.spec import ViTLayer
from .spec import SwinSpec

# A merged token is so many tokens side by side.
_MERGED = 4


def inherited_swin(supernet: SwinSpec, subnet: SwinSpec) -> dict[str, Slice]:
    """Return what each of the subnet's tensors is of the supernet's.

    A stage's layers are the first ones of the supernet's stage, so that windows are shifted in the
    same ones. Raises UserError naming the first thing in which the subnet does not fit.
    """
    _check(supernet, subnet)
    found = Inheritance()
    stages, of_stages = subnet.stages, supernet.stages
    width, patch = first(stages[0].embed), first(subnet.patch)
    projection = "patch_embed.proj"
    channels = first(subnet.in_channels)
    found.add(f"{projection}.weight", f"{projection}.weight", width, channels, patch, patch)
    found.add(f"{projection}.bias", f"{projection}.bias", width)
    found.layer_norm("patch_embed.norm", "patch_embed.norm", stages[0].embed)
    for number, (stage, of) in enumerate(zip(stages, of_stages, strict=True)):
        if number:
            before, of_before = stages[number - 1].embed, of_stages[number - 1].embed
            _add_merging(found, f"layers.{number}.downsample", before, of_before, stage.embed)
        for index, layer in enumerate(stage.layers):
            name = f"layers.{number}.blocks.{index}"
            _add_layer(
                found, name, stage.embed, _positions(subnet, number), layer, of.layers[index]
            )
    if subnet.classes:
        found.layer_norm("norm", "norm", stages[-1].embed)
        found.linear("head.fc", "head.fc", first(subnet.classes), first(stages[-1].embed))
    return found.slices


def _positions(spec: SwinSpec, stage: int) -> int:
    """Return how many relative positions two tokens of a window may have."""
    return (2 * min(spec.window, spec.side(stage)) - 1) ** 2


def _add_merging(found: Inheritance, name: str, embed: int, of: int, outputs: int) -> None:
    """Add the norm and the linear layer: of each of four tokens the first channels."""
    wide: Ranges = joined(of_heads(_MERGED, embed, of))
    for part in ("weight", "bias"):
        found.add(f"{name}.norm.{part}", f"{name}.norm.{part}", wide)
    found.add(f"{name}.reduction.weight", f"{name}.reduction.weight", first(outputs), wide)


def _add_layer(
    found: Inheritance, name: str, embed: int, positions: int, layer: ViTLayer, of: ViTLayer
) -> None:
    """Add the halves that the layer has."""
    if layer.heads:
        found.layer_norm(f"{name}.norm1", f"{name}.norm1", embed)
        dims, of_dims = (layer.heads, layer.qk, layer.v), (of.heads, of.qk, of.v)
        found.attention(f"{name}.attn", f"{name}.attn", embed, dims, of_dims)
        bias = f"{name}.attn.relative_position_bias_table"
        found.add(bias, bias, first(positions), first(layer.heads))
    if layer.mlp:
        found.layer_norm(f"{name}.norm2", f"{name}.norm2", embed)
        width, hidden = first(embed), first(layer.mlp)
        found.linear(f"{name}.mlp.fc1", f"{name}.mlp.fc1", hidden, width)
        found.linear(f"{name}.mlp.fc2", f"{name}.mlp.fc2", width, hidden)


def _check(supernet: SwinSpec, subnet: SwinSpec) -> None:
    check_same("", _frame(subnet), _frame(supernet))
    for number, (stage, of) in enumerate(zip(subnet.stages, supernet.stages, strict=True)):
        sizes = {"embed": stage.embed, "depth": len(stage.layers)}
        of_sizes = {"embed": of.embed, "depth": len(of.layers)}
        check_within(f"stages[{number}].", sizes, of_sizes)
        for index, layer in enumerate(stage.layers):
            check_within(f"stages[{number}].layers[{index}].", vars(layer), vars(of.layers[index]))


def _frame(spec: SwinSpec) -> dict[str, object]:
    """Return what a subnet has in common with its supernet."""
    names = (
        "patch",
        "window",
        "resolution",
        "in_channels",
        "classes",
        "norm_eps",
        "attention_scale_dim",
    )
    return {"stages": len(spec.stages), **{n: getattr(spec, n) for n in names}}
