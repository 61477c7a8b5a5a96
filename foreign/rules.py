"""What of a machine decides how a graph is fused on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# AVX-512; 8 with AVX2 and on ARM.
CHANNELS_PER_BLOCK = 16


@dataclass(frozen=True)
class Rules:
    """How the runtime lays out the tensors of convolutions.

    `channels_per_block` are the channels that lie together in its own layout of convolutions, 0
    where it has none.
    """

    channels_per_block: int = CHANNELS_PER_BLOCK

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> Rules:
        """Return the rules of a table's machine, as its header has them."""
        known = environment.get("channels_per_block")
        if isinstance(known, int) and not isinstance(known, bool) and 0 <= known <= 64:
            return cls(known)
        return cls()
