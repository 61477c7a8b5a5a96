"""How many units of a structure leave at once, and how many have to stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UserError, did_you_mean
from ..models.structures.structure import KINDS, Kind

# Those of NViT's runs, which suit the 2:4 kernels' multiples of 16 with 64 dims a head;
# runtimes pad a convolution's channels to 16.
GROUPS: dict[Kind, int] = {"embed": 16, "heads": 2, "qk": 8, "v": 8, "mlp": 16, "channels": 16}
# Two of three heads at once would be most of a layer.
FEW_HEADS = 6


@dataclass(frozen=True)
class Groups:
    """Sizes of groups by kind. Widths come to rest on multiples of them, one group at least."""

    sizes: Mapping[Kind, int] = field(default_factory=lambda: dict(GROUPS))

    @classmethod
    def of(
        cls,
        wanted: str | Mapping[str, int] | None,
        heads: int,
        usual: Mapping[Kind, int] | None = None,
    ) -> Groups:
        """Return what "heads=1,mlp=32" says, or a mapping, and the default for the others.

        heads: those of the model's widest layer; with few of them they go one by one. usual: other
        defaults. Raises UserError for an unknown kind or a size that is not a whole number above 0.
        """
        few = 1 if heads < FEW_HEADS else GROUPS["heads"]
        sizes = {**GROUPS, "heads": few, **(usual or {})}
        text = wanted or ""
        if not isinstance(text, str):
            text = ",".join(f"{kind}={size}" for kind, size in text.items())
        for part in filter(None, text.replace(" ", "").split(",")):
            name, _, size = part.partition("=")
            kind = next((k for k in KINDS if k == name.lower()), None)
            if kind is None:
                raise UserError(
                    f"`groups`: unknown structure '{name}'{did_you_mean(name, KINDS)}; they are "
                    f"{', '.join(KINDS)}."
                )
            if not size.isdecimal() or int(size) == 0:
                raise UserError(f"`groups`: {name}={size} is not a size; write it as {name}=16.")
            sizes[kind] = int(size)
        return cls(sizes)

    def next_group(self, kind: Kind, units: int, floor: int = 1) -> int:
        """Return how many of so many units go next, 0 where less than `floor` would be left."""
        size = self.sizes[kind]
        below = (units - 1) // size * size
        return units - below if below >= max(floor, 1) else 0

    def fewest(self, kind: Kind, units: int) -> int:
        """Return how many of so many units always stay."""
        return min(units, self.sizes[kind])
