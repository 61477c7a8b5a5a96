"""What of toys is measured and searched: their choices, and how these make a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from toy_family import ToySpec
from vitprof.models import Spec
from vitprof.spaces.space import SearchSpace


class ToySpace(SearchSpace):
    family = "toy"
    makes = ToySpec
    choices: ClassVar[Mapping[str, Sequence[int]]] = {"width": (8, 16, 32), "depth": (1, 2, 4)}

    def build(self, values: Mapping[str, float], name: str) -> Spec:
        width, depth = int(values["width"]), int(values["depth"])
        return ToySpec(name=name, width=width, depth=depth, **dict(self.frame))
