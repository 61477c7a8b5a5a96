"""`vitprof predict`: what a model costs, by a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options.common import extrapolate_option, table_option
from ..output import json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...models import Block
    from ...tables import BlockPrediction, Prediction


@click.command(
    epilog="Example: vitprof predict --table lut.csv --model deit-small  |  "
    "vitprof predict --table lut.csv --model pruned/spec.json --json"
)
@table_option
@click.option("--model", required=True, help="A name (vitprof models) or a spec's JSON file.")
@extrapolate_option
@click.option("--partial", is_flag=True,
              help="Predict the blocks that the table has, and list those it lacks.")  # fmt: skip
@click.option("--device", help="Refuse a table of another device.")
@click.option("--batch", type=int, help="Refuse a table of another batch.")
@click.option("--dtype", help="Refuse a table of another dtype.")
@click.option("--threads", type=int, help="Refuse a table of another thread count.")
@json_option
def predict(
    table_path: Path, model: str, extrapolate: bool, partial: bool, device: str | None,
    batch: int | None, dtype: str | None, threads: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Predict a model's latency from a table, and say where it goes."""
    from ...models import create_spec
    from ...tables import LatencyTable

    table = LatencyTable.read_csv(table_path)
    table.check_setting(device=device, batch=batch, dtype=dtype, threads=threads)
    answer = table.predict(create_spec(model), extrapolate=extrapolate, partial=partial)
    if table.unfinished:
        note(f"warning: {table_path} is unfinished: its measuring was interrupted.")
    missing = Counter(answer.missing)
    for block, count in missing.items():
        note(f"missing: {f'{count} x ' if count > 1 else ''}{block}: the table has no such block.")
    if as_json:
        print_json(
            {
                "model": answer.model,
                "latency_ms": answer.ms,
                "low_ms": answer.low_ms,
                "high_ms": answer.high_ms,
                "by_op": answer.by_op,
                "extrapolated": answer.extrapolated,
                "offset_ms": answer.offset_ms,
                "how": answer.how,
                "missing": [str(block) for block in answer.missing],
                "setting": table.setting.as_dict(),
            }
        )
        return 0
    setting = table.setting
    click.echo(
        f"{answer.model} on {setting.device} ({setting.backend}, {setting.dtype}, batch "
        f"{setting.batch}, {setting.threads} thread{'s' if setting.threads > 1 else ''}): "
        f"{milliseconds(answer.ms)} ms  {_interval(answer)}"
    )
    click.echo(f"  {answer.how}.")
    rows = [(op, milliseconds(ms), f"{ms / answer.ms:.1%}") for op, ms in answer.by_op.items()]
    if answer.offset_ms:
        rows.append(
            ("(constant)", milliseconds(answer.offset_ms), f"{answer.offset_ms / answer.ms:.1%}")
        )
    print_table(("op", "ms", "share"), rows)
    print_table(
        ("block", "ms each", "ms", "share"),
        [
            (f"{count} x {part.block}" if count > 1 else str(part.block),
             milliseconds(part.ms), milliseconds(count * part.ms),
             f"{count * part.ms / answer.ms:.1%}")
            for part, count in _in_order_of_appearance(answer.by_block)
        ],
    )  # fmt: skip
    if answer.extrapolated:
        note(f"extrapolated on {', '.join(answer.extrapolated)}: a guess, not a measurement.")
    return 0


def _interval(answer: Prediction) -> str:
    if math.isnan(answer.low_ms):
        return "(interval unknown)"
    return f"[{milliseconds(answer.low_ms)} .. {milliseconds(answer.high_ms)}]"


def _in_order_of_appearance(
    parts: Sequence[BlockPrediction],
) -> Iterable[tuple[BlockPrediction, int]]:
    counts: dict[Block, tuple[BlockPrediction, int]] = {}
    for part in parts:
        first, count = counts.get(part.block, (part, 0))
        counts[part.block] = (first, count + 1)
    return counts.values()
