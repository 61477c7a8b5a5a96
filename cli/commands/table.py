"""`vitprof table`: look into tables, convert them, join them, share them."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UserError
from ...progress import shown_wait
from ..options.renamed import RenamedOption, RenamingGroup
from ..options.table_and_setting import at_option
from ..output import json_option, note, print_json, print_text


@click.group(cls=RenamingGroup, epilog="Example: vitprof table info lut.csv")
def table() -> None:
    """Inspect, export, import, merge and share tables."""


@table.command(epilog="Example: vitprof table info lut.csv --json")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--unstable", is_flag=True, help="List every unstable point and the cause.")
@at_option
@json_option
def info(path: Path, unstable: bool, at: str | None, as_json: bool) -> int:
    """Show what a table holds: setting, machine, ops with their ranges, noise, and its verdict."""
    from ...tables.overview import unstable_points
    from ...verbs.given_table import table_of
    from ..reports.table_info import print_table_info, print_unstable

    read = table_of(path, at)
    if as_json:
        listed = {"unstable": unstable_points(read)} if unstable else {}
        print_json(read.report() | listed)
    elif unstable:
        print_unstable(read)
    else:
        print_table_info(read)
    return 0


@table.command(
    epilog="Example: vitprof table export lut.csv --format markdown --out lut.md  |  vitprof table "
    "export pruned --format latex --speed-up batch1.csv --speed-up batch256.csv"
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "file_format",
    default="csv",
    show_default=True,
    help="csv (no comment lines), json, markdown or latex.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: stdout.")
@click.option(
    "--speed-up",
    "speed_up",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Of a folder of prune: a column with the speed-up by this table, of another batch or "
    "device; may be repeated.",
)
@at_option
def export(
    path: Path, file_format: str, out: Path | None, speed_up: tuple[Path, ...], at: str | None
) -> int:
    """Write a table, or a result with the columns of the papers, in another format.

    PATH is a table; a folder that prune, search or choose wrote; or a file with what prune, search,
    choose, variants, compare or bench printed with --json.
    """
    from ...atomic_write import write_atomically

    text = _exported(path, file_format, speed_up, at)
    if out is None:
        print_text(text)
        return 0
    if out.exists() and path.exists() and out.samefile(path):
        raise UserError(f"--out {out} is the table itself; give another path.")
    write_atomically(out, text)
    note(f"written: {out}")
    return 0


def _exported(path: Path, file_format: str, speed_up: tuple[Path, ...], at: str | None) -> str:
    if path.is_dir() or path.suffix == ".json":
        if at is not None:
            raise UserError("`at` is of tables; a result is at the speed that it was asked at.")
        from ...verbs.paper_tables.of_report import paper_table

        return paper_table(path, speed_up).written(file_format)
    from ...tables.export import check_format, exported
    from ...verbs.given_table import table_of

    if speed_up:
        raise UserError("`speed_up` goes with a folder that vitprof prune wrote; give its path.")
    check_format(file_format)
    return exported(table_of(path, at), file_format)


fresh_option = click.option(
    "--fresh",
    cls=RenamedOption,
    old=["--force"],
    is_flag=True,
    help="Overwrite an existing --out.",
)


@table.command(
    "import",
    epilog="Example: vitprof table import --from nnmeter pixel6.json --unit ms --device pixel6 "
    "--out p6.csv",
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--from", "kind", required=True, help="nnmeter, ofa, nvit or neusight.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--device", help="The device it was measured on, if the file does not say.")
@click.option("--dtype", help="Its dtype, which the files do not say.")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1, 65536))
@click.option(
    "--tokens",
    default=197,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Sequence length of nvit's blocks; the file does not say.",
)
@click.option(
    "--unit",
    help="Unit of the file's latencies: s, ms, us or ns. Required for nvit and nnmeter, whose "
    "files do not say.",
)
@fresh_option
@json_option
def import_(
    path: Path,
    kind: str,
    out: Path,
    device: str | None,
    dtype: str | None,
    batch: int,
    tokens: int,
    unit: str | None,
    fresh: bool,
    as_json: bool,
) -> int:
    """Convert the latency table of another tool into a table of vitprof."""
    from ...atomic_write import check_writable
    from ...tables.importers import import_table
    from ..reports.imported import note_left_out, print_imported

    _check_new(out, fresh)
    check_writable(out)
    with shown_wait(f"importing {path.name}"):
        found = import_table(kind, path, device, dtype, batch, tokens, unit)
        found.table.to_csv(out)
    note_left_out(found)
    if as_json:
        print_json({"table": str(out), **found.report()})
    else:
        print_imported(found, out)
    return 1 if found.unknown else 0


@table.command(epilog="Example: vitprof table merge a.csv b.csv --out both.csv")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--fresh", is_flag=True, help="Overwrite an existing --out.")
@click.option("--force", is_flag=True, help="Merge even if the error of whole models grows.")
@json_option
def merge(paths: tuple[Path, ...], out: Path, fresh: bool, force: bool, as_json: bool) -> int:
    """Merge tables of one machine and one setting, and show how well each predicts whole models."""
    from ...tables import LatencyTable
    from ...tables.merge import merge_tables
    from ..reports.merged import print_merged

    _check_new(out, fresh)
    parts = [LatencyTable.read_csv(path) for path in paths]
    merged = merge_tables(parts, force)
    merged.to_csv(out)
    print_merged(parts, merged, out, as_json)
    return 0


@table.command(epilog="Example: vitprof table push lut.csv shared --licence CC-BY-4.0")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("to")
@click.option("--name", help="Its name there. Default: from machine and setting.")
@click.option(
    "--licence", help="The licence under which others may use it; written into the table."
)
@click.option(
    "--most-doubtful",
    default="10%",
    show_default=True,
    help="Refuse a table if more than this share of its rows failed or are unstable.",
)
@click.option("--fresh", is_flag=True, help="Overwrite another table of that name.")
@json_option
def push(
    path: Path,
    to: str,
    name: str | None,
    licence: str | None,
    most_doubtful: str,
    fresh: bool,
    as_json: bool,
) -> int:
    """Copy a table with its card to a folder or to a data set at Hugging Face (hf:ORG/NAME)."""
    from ...verbs.share_tables import push_table
    from ..reports.shared import print_pushed

    pushed = push_table(
        path, to, name=name, licence=licence, most_doubtful=most_doubtful, fresh=fresh
    )
    if as_json:
        print_json(pushed.report())
    else:
        print_pushed(pushed)
    return 0


@table.command(epilog="Example: vitprof table pull hf:someone/tables --device pixel --out tables")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="A folder. Default: list only.")
@click.option("--device", help="Only those with this text in their device's or machine's name.")
@click.option(
    "--name", "names", multiple=True, help="Only the table of this name; may be repeated."
)
@click.option("--fresh", is_flag=True, help="Overwrite other tables of the same names in --out.")
@json_option
def pull(
    source: str,
    out: Path | None,
    device: str | None,
    names: tuple[str, ...],
    fresh: bool,
    as_json: bool,
) -> int:
    """List or copy the valid tables of a folder or a data set (hf:ORG/NAME)."""
    from ...verbs.share_tables import pull_tables
    from ..reports.shared import note_refused, print_pulled

    pulled = pull_tables(source, out=out, device=device, names=names, fresh=fresh)
    note_refused(pulled)
    if as_json:
        print_json(pulled.report())
    else:
        print_pulled(pulled)
    return int(pulled.is_doubtful)


def _check_new(out: Path, fresh: bool) -> None:
    if out.exists() and not fresh:
        raise UserError(f"{out} exists; give another --out, or --fresh to write over it.")
