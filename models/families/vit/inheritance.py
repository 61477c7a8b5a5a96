"""What a ViT inherits of a larger one."""

from __future__ import annotations

from ....errors import UserError
from ...inheritance.slices import Inheritance, Slice, check_same, check_within, first
from .details import PLAIN
from .spec import ViTLayer, ViTSpec

# torch's models fill in 1e-6 where a spec says nothing.
_DEFAULT_NORM_EPS = 1e-6


def inherited_vit(supernet: ViTSpec, subnet: ViTSpec) -> dict[str, Slice]:
    """Return what each of the subnet's tensors is of the supernet's.

    Raises UserError naming the first thing in which it does not fit.
    """
    _check(supernet, subnet)
    found = Inheritance()
    width = first(subnet.embed)
    tokens = ["cls_token", "dist_token"] if subnet.distilled else ["cls_token"]
    for token in tokens:  # (1, 1, embed)
        found.add(token, token, first(1), first(1), width)
    found.add("pos_embed", "pos_embed", first(1), first(subnet.tokens), width)
    patch = first(subnet.patch)
    channels = first(subnet.in_channels)
    projection = "patch_embed.proj"
    found.add(f"{projection}.weight", f"{projection}.weight", width, channels, patch, patch)
    found.add(f"{projection}.bias", f"{projection}.bias", width)
    for index, layer in enumerate(subnet.layers):
        _add_layer(found, f"blocks.{index}", subnet.embed, layer, supernet.layers[index])
    found.layer_norm("norm", "norm", subnet.embed)
    for head in ("head", "head_dist")[: subnet.classifier_heads]:
        found.linear(head, head, first(subnet.classes), width)
    return found.slices


def _add_layer(found: Inheritance, name: str, embed: int, layer: ViTLayer, of: ViTLayer) -> None:
    """Add the halves that the layer has."""
    if layer.heads:
        found.layer_norm(f"{name}.norm1", f"{name}.norm1", embed)
        dims, of_dims = (layer.heads, layer.qk, layer.v), (of.heads, of.qk, of.v)
        found.attention(f"{name}.attn", f"{name}.attn", embed, dims, of_dims)
    if layer.mlp:
        found.layer_norm(f"{name}.norm2", f"{name}.norm2", embed)
        width, hidden = first(embed), first(layer.mlp)
        found.linear(f"{name}.mlp.fc1", f"{name}.mlp.fc1", hidden, width)
        found.linear(f"{name}.mlp.fc2", f"{name}.mlp.fc2", width, hidden)


def _check(supernet: ViTSpec, subnet: ViTSpec) -> None:
    for spec in (supernet, subnet):
        if spec.details != PLAIN or not spec.classes:
            raise UserError(
                f"`details` of {spec.name}: only plain Vision Transformers with a classifier "
                "inherit weights; use a model without details."
            )
    check_same("", _frame(subnet), _frame(supernet))
    check_within("", _sizes(subnet), _sizes(supernet))
    for index, layer in enumerate(subnet.layers):
        check_within(f"layers[{index}].", vars(layer), vars(supernet.layers[index]))


def _sizes(spec: ViTSpec) -> dict[str, int]:
    left = spec.tokens - sum(spec.merges)  # merging has no weights
    return {"embed": spec.embed, "depth": spec.depth, "tokens left": left}


def _frame(spec: ViTSpec) -> dict[str, object]:
    """Return what a subnet has in common with its supernet."""
    names = (
        "resolution",
        "patch",
        "in_channels",
        "classes",
        "distilled",
        "distillation_head",
        "attention_scale_dim",
    )
    eps = _DEFAULT_NORM_EPS if spec.norm_eps is None else spec.norm_eps
    return {**{n: getattr(spec, n) for n in names}, "norm_eps": eps}
