"""`vitprof validate`: how far a table can be trusted for models it never saw."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.common import table_option
from ..output import json_option, note, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from ...models import Spec
    from ...profiler.validation.validate import Validation
    from ...tables import LatencyTable


@click.command(
    epilog="Example: vitprof validate --table lut.csv --space vit --samples 50 --seed 1 "
    "--plot validate.png"
)
@table_option
@click.option(
    "--space", help="Family of the random models (default: the one that the table holds)."
)
@click.option(
    "--search-space",
    help="Take the random models from this search space: a name or a file (default: the one that "
    "the table was measured for).",
)
@click.option("--samples", default=50, show_default=True, type=click.IntRange(3, 10000),
              help="Unseen random models.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the random models.")
@click.option("--train", "training", default=0, show_default=True, type=click.IntRange(0, 10000),
              help="Measure so many further models for the learned rivals (operator model, MLP, "
              "random forest); 0 leaves them out.")  # fmt: skip
@click.option("--sessions", default=5, show_default=True, type=click.IntRange(1, 99),
              help="Fresh sessions a model, each time; 10 more where they differ.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it (png, svg or pdf).")
@click.option("--out", type=click.Path(path_type=Path), help="Write every model's line as CSV.")
@json_option
def validate(
    table_path: Path, space: str | None, search_space: str | None, samples: int, seed: int,
    training: int, sessions: int, plot: Path | None, out: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Measure random models the table never saw, twice, and compare.

    Beside the table stand its rivals on the same models, and the noise floor: how far the second
    measurement differs from the first.
    """
    from ...profiler.sampling.protocol import Protocol
    from ...profiler.target import open_target_of
    from ...profiler.validation.validate import validate_table
    from ...tables import LatencyTable
    from ..options.common import check_picture, check_writable
    from ..options.plan import check_space

    check_space(space)
    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    table = LatencyTable.read_csv(table_path)
    if table.unfinished:
        raise UserError(f"{table_path} is unfinished; finish measuring it first (vitprof measure).")
    sample = sampling(table, table_path, space, search_space)
    what = f"vitprof validate --table {table_path}"
    with (
        open_target_of(table, what) as target,
        progress_bar(enabled=not as_json) as on_progress,
    ):
        result = validate_table(
            table,
            sample,
            target,
            samples=samples,
            training_samples=training,
            seed=seed,
            protocol=Protocol(
                sessions=sessions, model_sessions=sessions, extra_sessions=0, seed=seed
            ),
            on_progress=on_progress,
        )
    if out:
        _write_csv(result, out)
    if plot:
        from ...profiler.validation.plot import plot_validation

        plot_validation(result, table.setting, plot)
    if as_json:
        print_json(_as_json(result))
    else:
        _print(result)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    return 0


def sampling(
    table: LatencyTable, path: Path, space: str | None, search_space: str | None
) -> Callable[[random.Random, str], Spec]:
    """Return what draws a model: of the search space that is named, or the table's, or its family.

    Raises UserError where it is not clear which.
    """
    from ...spaces.measuring_spaces import spaces_of_table
    from ..space_of_search import search_space_of

    if space is not None and search_space is not None:
        raise UserError("--search-space has a family of its own; take --space away.")
    searched = None if space is not None else search_space_of(table, search_space)
    if searched is not None:
        return searched.random_spec
    chosen, *others = spaces_of_table(table, space)
    if others:
        names = ", ".join(each.name for each in (chosen, *others))
        raise UserError(
            f"{path} holds several families ({names}); say which to validate: --space "
            f"{chosen.name}."
        )
    return lambda rng, name: chosen.sample(rng, name=name)


def _as_json(result: Validation) -> dict[str, Any]:
    return {
        "samples": len(result.models),
        "table": result.errors.as_dict(),
        "noise_floor": result.noise_floor.as_dict(),
        "coverage": result.coverage,
        "table_raw": result.raw_errors.as_dict(),
        "noise_floor_raw": result.raw_noise_floor.as_dict(),
        "rivals": {
            name: {
                **rival.errors.as_dict(),
                "trained_on": rival.trained_on,
                "training_s": rival.training_s,
            }
            for name, rival in result.rivals.items()
        },
    }


def _print(result: Validation) -> None:
    from ...profiler.validation.plot import NAMES

    lines = [("this table", result.errors, "")]
    lines += [
        (NAMES[name], rival.errors, f"{rival.trained_on}" if rival.trained_on else "-")
        for name, rival in result.rivals.items()
    ]
    lines += [
        ("noise floor: measured again", result.noise_floor, ""),
        ("this table, not corrected for drift", result.raw_errors, ""),
        ("noise floor, not corrected for drift", result.raw_noise_floor, ""),
    ]
    print_table(
        ("prediction", "MAPE", "bias", "worst", "within 5 %", "within 10 %", "Kendall tau",
         "models measured"),
        [
            (name, f"{e.mape:.2%}", f"{e.bias:+.2%}", f"{e.worst:.1%}", f"{e.within_5:.0%}",
             f"{e.within_10:.0%}", f"{e.kendall_tau:.3f}", count)
            for name, e, count in lines
        ],
    )  # fmt: skip
    click.echo(
        f"{result.coverage:.0%} of the {len(result.models)} measurements lie in the table's 95 % "
        "interval."
    )


def _write_csv(result: Validation, out: Path) -> None:
    from ...atomic_write import write_atomically

    columns = ["model", "measured_ms", "again_ms", "predicted_ms", "low_ms", "high_ms"]
    series = [
        result.measured_ms, result.again_ms, result.predicted_ms, result.low_ms, result.high_ms
    ]  # fmt: skip
    for name, rival in result.rivals.items():
        columns.append(f"{name}_ms")
        series.append(rival.predicted_ms)
    lines = [",".join(columns)]
    for i, model in enumerate(result.models):
        lines.append(",".join([model, *(f"{values[i]:.6g}" for values in series)]))
    write_atomically(out, "\n".join(lines) + "\n")
