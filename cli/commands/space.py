"""`vitprof space`: what a search space is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..output import json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    import numpy as np

    from ...search.costs import CostModel, Costs
    from ...spaces.gene import Gene
    from ...spaces.space import SearchSpace

MOST_SAMPLES = 100_000


@click.command(
    epilog="Example: vitprof space  |  vitprof space autovit-xxs --table lut.csv  |  "
    "vitprof space mine.toml --sample 10 --out specs"
)
@click.argument("name", required=False)
@click.option(
    "--sample",
    type=click.IntRange(1, MOST_SAMPLES),
    help="Write so many different random models as JSON, each spec a file.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the random models.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the random models.")
@click.option(
    "--table",
    "table_path",
    type=click.Path(path_type=Path),
    help="A table that covers the space: says the milliseconds too.",
)
@json_option
def space(
    name: str | None, sample: int | None, seed: int, out: Path | None, table_path: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Tell what a search space holds: a NAME, or a .toml or .json file.

    How many models, the choices that make them, and what the smallest and the largest cost.
    Without a name: the spaces that are known.
    """
    if name is None:
        for option, value in (("--sample", sample), ("--out", out), ("--table", table_path)):
            if value is not None:
                raise UserError(f"{option} is for one space; name it.")
        _list_spaces(as_json)
        return 0
    if (sample is None) != (out is None):
        raise UserError("--sample N and --out FOLDER go together: give both, or none.")
    from ...search.costs import CostModel
    from ...spaces.registry import find_search_space
    from ...tables import LatencyTable

    found = find_search_space(name)
    tables = [LatencyTable.read_csv(table_path)] if table_path is not None else []
    costs = CostModel(found, tables)
    files = _write_sample(found, sample, seed, out) if sample and out else []
    if as_json:
        print_json(_as_json(found, costs) | ({"sampled": files} if files else {}))
        return 0
    _print(found, costs)
    if files:
        note(f"written: {len(files)} specs to {out}")
    return 0


def _list_spaces(as_json: bool) -> None:
    from ...spaces.registry import find_search_space, search_space_names

    spaces = [find_search_space(name) for name in search_space_names()]
    if as_json:
        print_json(
            {
                "spaces": [
                    {"name": one.name, "family": one.family, "models": one.count()}
                    for one in spaces
                ]
            }
        )
        return
    print_table(
        ("space", "family", "models", "choices"),
        [(one.name, one.family, f"{one.count():.3g}", str(len(one.genes))) for one in spaces],
    )


def _ends(found: SearchSpace) -> dict[str, np.ndarray]:
    return {"smallest": found.smallest(), "largest": found.largest()}


def _costs_as_json(costs: Costs) -> dict[str, Any]:
    latency = {"latency_ms": costs.latency_ms[0, 0]} if costs.latency_ms.size else {}
    return {"params": costs.params[0], "macs": costs.macs[0], **latency}


def _as_json(found: SearchSpace, costs: CostModel) -> dict[str, Any]:
    return {
        "space": found.name,
        "family": found.family,
        "models": found.count(),
        "choices": {gene.name: list(gene.values) for gene in found.genes},
        "never_shrink": list(found.never_shrink),
        **{end: _costs_as_json(costs.of(one[None])) for end, one in _ends(found).items()},
    }


def _print(found: SearchSpace, costs: CostModel) -> None:
    click.echo(f"{found.name}: {_in_words(found.count())} models of the family {found.family}.")
    print_table(
        ("choice", "of"),
        [(name, ", ".join(f"{v:g}" for v in values)) for name, values in _together(found.genes)],
    )
    if found.never_shrink:
        click.echo(f"Widths never shrink along {', '.join(found.never_shrink)}.")
    for width, by in found.shared_out:
        click.echo(f"{by} divides {width}.")
    measured = bool(costs.tables)
    lines = []
    for end, candidate in _ends(found).items():
        of = costs.of(candidate[None])
        ms = (milliseconds(float(of.latency_ms[0, 0])),) if measured else ()
        lines.append((end, f"{of.params[0] / 1e6:.3g}", f"{of.macs[0] / 1e6:.4g}", *ms))
    print_table(("model", "M params", "M MACs", *(("ms",) if measured else ())), lines)


def _in_words(count: int) -> str:
    return str(count) if count < 1_000_000 else f"{count:.3g}"


def _together(genes: Sequence[Gene]) -> list[tuple[str, tuple[float, ...]]]:
    """Return names and values, in one line where a layer or stage after another has the same."""
    lines: dict[tuple[str, str], list[tuple[int, tuple[float, ...]]]] = {}
    for gene in genes:
        block, _, choice = gene.name.rpartition(".")
        kind, _, number = block.rpartition("-")
        place = int(number) if number.isdecimal() else 0
        lines.setdefault((kind if place else block, choice), []).append((place, gene.values))
    found = []
    for (kind, choice), alike in lines.items():
        for values, same in groupby(alike, key=lambda one: one[1]):
            places = [place for place, _ in same]
            numbers = f"{places[0]}" if len(places) == 1 else f"{places[0]} to {places[-1]}"
            block = f"{kind}-{numbers}" if places[0] else kind
            found.append((f"{block}.{choice}" if block else choice, values))
    return found


def _write_sample(found: SearchSpace, count: int, seed: int, folder: Path) -> list[str]:
    """Write `count` different models; raises UserError where the space has fewer."""
    import numpy as np

    from ...atomic_write import write_atomically

    if count > found.count():
        raise UserError(
            f"the space {found.name} has only {found.count()} models; sample at most so many."
        )
    rng = np.random.default_rng(seed)
    rows: dict[bytes, np.ndarray] = {}
    while len(rows) < count:
        for row in found.sample(rng, count):
            if len(rows) < count:
                rows.setdefault(row.tobytes(), row)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, row in enumerate(rows.values()):
            spec = found.spec(row, f"{found.name}-{seed}-{number}")
            path = folder / f"model-{number}.json"
            write_atomically(path, spec.to_json())
            files.append(str(path))
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}; give another --out."
        ) from None
    return files
