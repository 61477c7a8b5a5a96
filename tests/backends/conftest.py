"""The small modules these tests compile."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Pre-norm self-attention with its residual: (batch, tokens, embed) to the same."""

    def __init__(self, embed: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(embed)
        self.qkv = nn.Linear(embed, 3 * embed)
        self.project = nn.Linear(embed, embed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, embed = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, tokens, 3, self.heads, embed // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.project(mixed.transpose(1, 2).reshape(batch, tokens, embed))


def attention() -> nn.Module:
    torch.manual_seed(1)
    return Attention(embed=32, heads=2)


def mlp(embed: int = 32, hidden: int = 64) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.LayerNorm(embed), nn.Linear(embed, hidden), nn.GELU(), nn.Linear(hidden, embed)
    )


def stem() -> nn.Module:
    """Conv-BN-ReLU-Dropout whose running statistics are not the initial ones."""
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5)
    )
    module(torch.randn(4, 3, 16, 16))
    return module


MODULES = {
    "attention": (attention, (2, 17, 32)),
    "mlp": (mlp, (2, 17, 32)),
    "stem": (stem, (2, 3, 16, 16)),
}


@pytest.fixture(params=sorted(MODULES))
def module_and_shape(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[int, ...]]:
    make, shape = MODULES[request.param]
    return make(), shape


@pytest.fixture
def attention_module() -> nn.Module:
    return attention()


@pytest.fixture
def wide_mlp() -> nn.Module:
    """19 MB of weights."""
    return mlp(embed=768, hidden=3072)
