"""NViT's table: nested JSON EMB_e -> QK_heads_dim -> V_dim -> MLP_m, the latency of a whole block.

A block is attention and MLP together (Yang et al. 2023, section 3.3); MLP_1 means that it has no
MLP. The sequence length and the unit are not in the file: they are given when
importing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import Block
from ...models.checks import shown
from .entries import Entries
from .strict_files import latency, read_json

_N = r"([1-9][0-9]{0,5})"
_LEVELS = (f"EMB_{_N}", f"QK_{_N}_{_N}", f"V_{_N}", f"MLP_{_N}")
_AXES = ("embed", "heads", "qk", "v", "mlp")


def read(path: Path, tokens: int) -> Entries:
    """Return the file's blocks at `tokens`, as the op "layer"."""
    found = Entries("NViT", None)
    _descend(read_json(path), (), (), found, path, tokens)
    return found


def _descend(
    values: dict[str, Any],
    keys: tuple[str, ...],
    dims: tuple[int, ...],
    found: Entries,
    path: Path,
    tokens: int,
) -> None:
    for key, value in values.items():
        here = (*keys, key)
        match = re.fullmatch(_LEVELS[len(keys)], key, re.ASCII)
        where = f"{path}: {' -> '.join(shown(k) for k in here)}"
        if match is None:
            found.unknown.append(" -> ".join(here))
            continue
        inner = (*dims, *map(int, match.groups()))
        if len(here) == len(_LEVELS):
            block = Block.of("layer", **dict(zip(_AXES, inner, strict=True)), tokens=tokens)
            found.add(block, latency(value, where), where)
        elif isinstance(value, dict):
            _descend(value, here, inner, found, path, tokens)
        else:
            raise UserError(
                f"{where} is {shown(value)}, where {_LEVELS[len(here)][:4]}... belongs."
            )
