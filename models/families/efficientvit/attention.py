"""Cascaded group attention (Liu et al. 2023, equations 2 and 3), and its plain variants."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...block import Block
from ...ops.codes import NO_YES, choice
from .norm import activation, conv_norm, scale_channels
from .ops import ATTENTIONS, kernels_of


def offset_indices(side: int) -> Tensor:
    """Return (side², side²) the place |Δrow|·side + |Δcolumn| of each pair of tokens' bias."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    row, column = rows.flatten(), columns.flatten()
    return (row[:, None] - row).abs() * side + (column[:, None] - column).abs()


class GroupAttention(nn.Module):
    """Heads one after another, each from its split of the channels or from all of them.

    (batch, embed, W, W) in and out. Head i has a 1x1 convolution to queries, keys (qk each) and
    values (v), a depthwise convolution on its queries unless its kernel is 1, and a learned bias
    for each distance in rows and columns. With `cascade` its output is added to the next head's
    split. The activation and a 1x1 convolution follow the last head.
    """

    attention_bias_idxs: Tensor

    def __init__(self, block: Block) -> None:
        super().__init__()
        embed, heads, qk, v = (block[axis] for axis in ("embed", "heads", "qk", "v"))
        side, norm = block["window"], block["norm"]
        self.heads, self.qk, self.v, self.side = heads, qk, v, side
        self.splits = choice(ATTENTIONS, block["attention"], "attention") == "cga"
        self.cascade = choice(NO_YES, block["cascade"], "cascade") == "yes"
        self.scale = qk**-0.5
        self.inputs = embed // heads if self.splits else embed
        kernels = kernels_of(block["kernels"], heads)
        self.qkvs = nn.ModuleList(
            conv_norm(self.inputs, 2 * qk + v, norm=norm) for _ in range(heads)
        )
        self.dws = nn.ModuleList(
            conv_norm(qk, qk, kernel, groups=qk, norm=norm) if kernel > 1 else nn.Identity()
            for kernel in kernels
        )
        self.proj = nn.Sequential(
            activation(block["activation"]), conv_norm(heads * v, embed, norm=norm)
        )
        self.attention_biases = nn.Parameter(torch.zeros(heads, side * side))
        self.register_buffer("attention_bias_idxs", offset_indices(side))
        self.gathered: nn.ParameterList | None = None

    def biases(self) -> Tensor | nn.ParameterList:
        """Return the bias of each pair of tokens, (heads, W², W²)."""
        if self.gathered is not None:
            return self.gathered
        return self.attention_biases[:, self.attention_bias_idxs]

    def forward(self, x: Tensor) -> Tensor:
        inputs = x.split(self.inputs, dim=1) if self.splits else (x,) * self.heads
        biases = self.biases()
        outputs: list[Tensor] = []
        for head, (qkv, dw) in enumerate(zip(self.qkvs, self.dws, strict=True)):
            given = inputs[head]
            if outputs and self.cascade:
                given = given + self._as_input(outputs[-1])
            q, k, v = qkv(given).split([self.qk, self.qk, self.v], dim=1)
            outputs.append(self._attend(dw(q), k, v, biases[head]))
        return self.proj(torch.cat(outputs, dim=1))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        tokens = self.side**2  # sizes known beforehand, so that a graph need not compute them
        logits = q.reshape(-1, self.qk, tokens).transpose(1, 2) @ k.reshape(-1, self.qk, tokens)
        if self.scale != 1:
            logits = logits * self.scale
        attention = (logits + bias).softmax(dim=-1)
        attended = v.reshape(-1, self.v, tokens) @ attention.transpose(1, 2)
        return attended.reshape(-1, self.v, self.side, self.side)

    def _as_input(self, output: Tensor) -> Tensor:
        """Return a head's output with as many channels as a split: cut, or filled with zeros."""
        if self.v == self.inputs:
            return output
        if self.v > self.inputs:
            return output[:, : self.inputs]
        return F.pad(output, (0, 0, 0, 0, 0, self.inputs - self.v))

    def folded(self) -> GroupAttention:
        """Return the same with the scale in the last layer of the queries and biases gathered."""
        if self.gathered is not None:
            return self
        fixed = copy.deepcopy(self)
        for qkv, dw in zip(fixed.qkvs, fixed.dws, strict=True):
            scale_channels(qkv if isinstance(dw, nn.Identity) else dw, self.qk, self.scale)
        fixed.scale = 1.0
        with torch.no_grad():
            fixed.gathered = nn.ParameterList(bias.clone() for bias in self.biases())
        del fixed.attention_biases, fixed.attention_bias_idxs
        return fixed
