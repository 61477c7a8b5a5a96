"""The families of models: where each one's spec, module, blocks and known models live.

Strings, imported when used: a spec needs no torch, and reading one needs no other family.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from ..block import Block
    from ..spec import Spec


@dataclass(frozen=True)
class Family:
    """Names inside this package, as "module:name".

    `spec` is the Spec class; `known` a function () -> list of the specs known by name; `module` the
    torch module's class, made from a spec; `blocks` a dict from an op's name to a function that
    makes the module of a Block; `rename` a function from a checkpoint's weights to the module's
    names.
    """

    spec: str
    known: str
    module: str
    blocks: str
    rename: str | None = None

    @property
    def spec_class(self) -> type[Spec]:
        return _imported(self.spec)

    def known_specs(self) -> list[Spec]:
        return _imported(self.known)()

    def create_model(self, spec: Spec) -> nn.Module:
        return _imported(self.module)(spec)

    def create_block(self, block: Block) -> nn.Module | None:
        """Return the module of a block, None for another family's op."""
        make = _imported(self.blocks).get(block.op)
        return None if make is None else make(block)

    def renamed(self, weights: Any) -> Any:
        """Return a checkpoint's weights under the module's names."""
        return weights if self.rename is None else _imported(self.rename)(weights)


FAMILIES: dict[str, Family] = {
    "vit": Family(
        ".vit.spec:ViTSpec",
        ".vit.known:known_vits",
        ".vit.model:VisionTransformer",
        ".vit.blocks:BLOCKS",
    ),
    "autovit": Family(
        ".autovit.spec:AutoViTSpec",
        ".autovit.known:known_autovits",
        ".autovit.model:AutoViT",
        ".autovit.blocks:BLOCKS",
    ),
    "bert": Family(
        ".bert.spec:BertSpec",
        ".bert.known:known_berts",
        ".bert.model:Bert",
        ".bert.blocks:BLOCKS",
        ".bert.checkpoint_names:bert_names",
    ),
    "efficientvit": Family(
        ".efficientvit.spec:EfficientViTSpec",
        ".efficientvit.known:known_efficientvits",
        ".efficientvit.model:EfficientViT",
        ".efficientvit.blocks:BLOCKS",
        ".efficientvit.checkpoint_names:timm_names",
    ),
    "vgg": Family(
        ".vgg.spec:VggSpec",
        ".vgg.known:known_vggs",
        ".vgg.model:Vgg",
        ".vgg.blocks:BLOCKS",
        ".vgg.known:vgg_names",
    ),
    "swin": Family(
        ".swin.spec:SwinSpec",
        ".swin.known:known_swins",
        ".swin.model:SwinTransformer",
        ".swin.blocks:BLOCKS",
        ".swin.checkpoint_names:swin_names",
    ),
}


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module, __package__), name)
