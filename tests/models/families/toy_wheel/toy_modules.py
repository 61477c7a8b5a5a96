from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from vitprof.models.modules.spec_model import SpecModel


class Head(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean(dim=(2, 3)))


BLOCKS = {
    "toy_stem": lambda block: nn.Conv2d(3, block["out_channels"], 1, bias=False),
    "toy_mixer": lambda block: nn.AvgPool2d(block["reach"], 1, block["reach"] // 2),
    "toy_head": lambda block: Head(block["out_channels"], block["classes"]),
}


class Toy(SpecModel):
    def __init__(self, spec) -> None:
        super().__init__(spec)
        self.steps = nn.Sequential(*[BLOCKS[block.op](block) for block in spec.blocks()])

    def forward(self, images: Tensor) -> Tensor:
        return self.steps(images)

    def chain(self) -> list[nn.Module]:
        return list(self.steps)


def with_bare_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("toy."): weight for name, weight in weights.items()}
