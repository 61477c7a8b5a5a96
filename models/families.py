"""The families of models: where each one's spec, module, blocks and known models live.

Strings, imported when used: a spec needs no torch, and reading one needs no other family.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from .block import Block
    from .spec import Spec


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
        ".vit:ViTSpec",
        ".vit_names:known_vits",
        ".modules.vision_transformer:VisionTransformer",
        ".modules.vit_blocks:BLOCKS",
    ),
    "autovit": Family(
        ".autovit:AutoViTSpec",
        ".autovit_names:known_autovits",
        ".modules.autovit_model:AutoViT",
        ".modules.autovit_blocks:BLOCKS",
    ),
    "bert": Family(
        ".bert:BertSpec",
        ".bert_names:known_berts",
        ".modules.bert:Bert",
        ".modules.bert_blocks:BLOCKS",
        ".bert_checkpoint_names:bert_names",
    ),
    "efficientvit": Family(
        ".efficientvit:EfficientViTSpec",
        ".efficientvit_names:known_efficientvits",
        ".modules.efficientvit_model:EfficientViT",
        ".modules.efficientvit_blocks:BLOCKS",
        ".modules.efficientvit_keys:timm_names",
    ),
    "vgg": Family(
        ".vgg:VggSpec",
        ".vgg_names:known_vggs",
        ".modules.vgg:Vgg",
        ".modules.vgg_blocks:BLOCKS",
        ".vgg_names:vgg_names",
    ),
    "swin": Family(
        ".swin:SwinSpec",
        ".swin_names:known_swins",
        ".modules.swin_transformer:SwinTransformer",
        ".modules.swin_blocks:BLOCKS",
        ".swin_checkpoint_names:swin_names",
    ),
}


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module, __package__), name)
