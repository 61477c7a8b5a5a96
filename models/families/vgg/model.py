"""VGG with batch norms, as a chain of steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...block import Block
from ...modules import initial
from ...modules.conv_norm import folded_batch_norm
from ...modules.spec_model import SpecModel
from .spec import VggSpec


class ConvNormRelu(nn.Module):
    """The op `conv_norm_relu`: 3 x 3, batch norm, ReLU, and 2 x 2 max pooling where pool is 2."""

    def __init__(self, in_channels: int, out_channels: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.pool = pool
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    @classmethod
    def of(cls, block: Block) -> ConvNormRelu:
        """Return the module of `block` with initial weights."""
        return cls(block["in_channels"], block["out_channels"], block["pool"])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)))
        return F.max_pool2d(x, 2) if self.pool == 2 else x

    def folded(self) -> nn.Module:
        """Return the same with the batch norm inside the convolution."""
        conv = nn.Conv2d(self.conv.in_channels, self.conv.out_channels, 3, padding=1)
        weight, bias = folded_batch_norm(self.conv.weight, self.conv.bias, self.bn)
        conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
        pooling = [nn.MaxPool2d(2)] if self.pool == 2 else []
        return nn.Sequential(conv, nn.ReLU(), *pooling)


class AveragePool(nn.Module):
    """The op `average_pool`: a map down to pooled x pooled places, then flat."""

    def __init__(self, resolution: int, pooled: int) -> None:
        super().__init__()
        self.window = resolution // pooled

    @classmethod
    def of(cls, block: Block) -> AveragePool:
        """Return the module of `block`, which has no weights."""
        return cls(block["resolution"], block["pooled"])

    def forward(self, x: Tensor) -> Tensor:
        return (F.avg_pool2d(x, self.window) if self.window > 1 else x).flatten(1)


class DenseRelu(nn.Module):
    """The op `dense_relu`: a linear layer, then ReLU; (batch, width) in and out."""

    def __init__(self, dense: nn.Linear) -> None:
        super().__init__()
        self.dense = dense

    @classmethod
    def of(cls, block: Block) -> DenseRelu:
        """Return the module of `block` with initial weights."""
        return cls(initial.linear(block["in_channels"], block["out_channels"]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.dense(x))


def classifier_of(block: Block) -> nn.Linear:
    """Return the module of a `dense_classifier` with initial weights."""
    return initial.linear(block["in_channels"], block["classes"])


class Vgg(SpecModel):
    """The model of a VggSpec: images (batch, in_channels, R, R) → logits (batch, classes).

    torchvision's dropouts are left out: they do nothing to a model that is trained.
    """

    spec: VggSpec

    def __init__(self, spec: VggSpec) -> None:
        super().__init__(spec)
        blocks = spec.blocks()
        self.convs = nn.ModuleList(
            ConvNormRelu.of(block) for block in blocks if block.op == "conv_norm_relu"
        )
        self.pooling = next(AveragePool.of(block) for block in blocks if block.op == "average_pool")
        self.hidden = nn.ModuleList(
            DenseRelu.of(block).dense for block in blocks if block.op == "dense_relu"
        )
        self.head = classifier_of(blocks[-1])

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for conv in self.convs:
            x = conv(x)
        x = self.pooling(x)
        for dense in self.hidden:
            x = torch.relu(dense(x))
        return self.head(x)

    def chain(self) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another is running the model.
        """
        hidden = [DenseRelu(dense) for dense in self.hidden]  # type: ignore[arg-type]
        modules = [*self.convs, self.pooling, *hidden, self.head]
        return [module.train(self.training) for module in modules]
