"""What of PoolFormer is measured, validated and searched: the choices, and the spec they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from vitprof.spaces.space import SearchSpace

from .spec import PoolFormerSpec

EMBEDS = ((32, 64, 96), (64, 128, 192), (160, 320), (256, 512))


class PoolFormerSpace(SearchSpace):
    family: ClassVar[str] = "poolformer"
    makes = PoolFormerSpec
    choices: ClassVar[Mapping] = {
        f"stage-{stage}.{gene}": values
        for stage, embeds in enumerate(EMBEDS, start=1)
        for gene, values in (("embed", embeds), ("depth", (1, 2, 4)))
    }

    def build(self, values: Mapping, name: str) -> PoolFormerSpec:
        stages = range(1, len(EMBEDS) + 1)
        return PoolFormerSpec(
            name=name,
            embeds=tuple(values[f"stage-{n}.embed"] for n in stages),
            depths=tuple(values[f"stage-{n}.depth"] for n in stages),
            **dict(self.frame),
        )
