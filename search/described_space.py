"""What a search space holds: how many models, of which choices, and what its ends cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic_write import made_folder, write_atomically
from ..errors import UserError
from ..results import Result
from ..spaces.space import SearchSpace
from ..tables import LatencyTable
from .costs import CostModel, Costs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class DescribedSpace(Result):
    """A search space, and the costs of its smallest and its largest model by up to one table.

    files: those of the random models that were written.
    """

    space: SearchSpace
    ends: dict[str, Costs]
    files: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        count = self.space.count()
        models = str(count) if count < 1_000_000 else f"{count:.3g}"
        return f"{self.space.name}: {models} models of the family {self.space.family}."

    def report(self) -> dict[str, Any]:
        space = self.space
        return {
            "space": space.name,
            "family": space.family,
            "models": space.count(),
            "choices": {gene.name: list(gene.values) for gene in space.genes},
            "never_shrink": list(space.never_shrink),
            **{end: _as_dict(costs) for end, costs in self.ends.items()},
            **({"sampled": [str(path) for path in self.files]} if self.files else {}),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a choice."""
        import pandas as pd

        rows = [(gene.name, list(gene.values)) for gene in self.space.genes]
        return pd.DataFrame(rows, columns=["choice", "of"])


def described(space: SearchSpace, tables: Sequence[LatencyTable] = ()) -> DescribedSpace:
    """Return what the space holds; raises UserError where a table does not cover it."""
    costs = CostModel(space, tables)
    ends = {"smallest": space.smallest(), "largest": space.largest()}
    return DescribedSpace(space, {name: costs.of(row[None]) for name, row in ends.items()})


def write_sample(space: SearchSpace, count: int, seed: int, folder: Path) -> tuple[Path, ...]:
    """Write the specs of `count` different random models; return their files.

    Raises UserError where the space has fewer, or the folder cannot be written.
    """
    if count > space.count():
        raise UserError(
            f"the space {space.name} has only {space.count()} models; sample at most so many."
        )
    rng = np.random.default_rng(seed)
    rows: dict[bytes, np.ndarray] = {}
    while len(rows) < count:
        for row in space.sample(rng, count):
            if len(rows) < count:
                rows.setdefault(row.tobytes(), row)
    files = []
    try:
        made_folder(folder)
        for number, row in enumerate(rows.values()):
            path = folder / f"model-{number}.json"
            write_atomically(path, space.spec(row, f"{space.name}-{seed}-{number}").to_json())
            files.append(path)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}; give another `out`."
        ) from None
    return tuple(files)


def _as_dict(costs: Costs) -> dict[str, Any]:
    latency = {"latency_ms": costs.latency_ms[0, 0]} if costs.latency_ms.size else {}
    return {"params": costs.params[0], "macs": costs.macs[0], **latency}
