"""`vitprof table`: look into tables, convert them, join them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..output import json_option, milliseconds, note, note_doubtful, print_json, print_table

if TYPE_CHECKING:
    from ...tables import LatencyTable

FORMATS = ("csv", "json", "markdown")


@click.group(epilog="Example: vitprof table info lut.csv")
def table() -> None:
    """Look into tables, export them, merge them."""


@table.command(epilog="Example: vitprof table info lut.csv --json")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def info(path: Path, as_json: bool) -> int:
    """Say what a table holds: setting, machine, ops with their ranges, noise, verdicts."""
    from ...tables import LatencyTable

    read = LatencyTable.read_csv(path)
    verdicts: dict[str, int] = {}
    for row in read.rows:
        verdicts[row.verdict] = verdicts.get(row.verdict, 0) + 1
    ops: dict[str, dict[str, Any]] = {}
    for op in read.ops:
        grids = read.grids(op)
        ops[op] = {"points": grids.points, "grids": len(grids.parts), "axes": grids.levels}
    if as_json:
        print_json(
            {
                "table": str(path),
                "setting": read.setting.as_dict(),
                "environment": read.environment,
                "protocol": read.protocol,
                "rows": len(read.rows),
                "verdicts": verdicts,
                "unfinished": read.unfinished,
                "ops": ops,
                **read.header.entries(read.rows),
            }
        )
        return 0
    setting = read.setting
    machine = read.environment.get("machine", {})
    click.echo(
        f"{path}: {len(read.rows)} rows of device {setting.device} ({machine.get('cpu') or '-'}), "
        f"{setting.backend} {setting.provider}, {setting.dtype}, batch {setting.batch}, "
        f"threads {setting.threads}"
    )
    click.echo("verdicts: " + ", ".join(f"{count} {name}" for name, count in verdicts.items()))
    if read.header.session_sd is not None:
        click.echo(
            f"two sessions of one point differ by {100 * read.header.session_sd:.1f} % "
            "(standard deviation)"
        )
    if read.unfinished:
        note("warning: unfinished: its measuring was interrupted; the same command goes on.")
    print_table(
        ("op", "points", "axes"),
        [
            (
                op,
                str(of_op["points"]),
                "; ".join(f"{a} {','.join(map(str, v))}" for a, v in of_op["axes"].items()),
            )
            for op, of_op in ops.items()
        ],
    )
    note_doubtful(
        [row for row in read.rows if row.verdict == "failed"],
        [row for row in read.rows if row.verdict == "unstable"],
    )
    return 0


@table.command(epilog="Example: vitprof table export lut.csv --format markdown --out lut.md")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "file_format", default="csv", show_default=True,
              help="csv (no comment lines), json or markdown.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Default: stdout.")
def export(path: Path, file_format: str, out: Path | None) -> int:
    """Write a table in another format."""
    from ...atomic_write import write_atomically
    from ...errors import did_you_mean
    from ...tables import LatencyTable

    if file_format not in FORMATS:
        raise UserError(f"unknown format '{file_format}'{did_you_mean(file_format, FORMATS)}.")
    read = LatencyTable.read_csv(path)
    text = _exported(read, file_format)
    if out is None:
        click.echo(text, nl=False)
        return 0
    if out.exists() and path.exists() and out.samefile(path):
        raise UserError(f"--out {out} is the table itself; give another path.")
    write_atomically(out, text)
    note(f"written: {out}")
    return 0


def _exported(read: LatencyTable, file_format: str) -> str:
    import json

    if file_format == "json":
        frame = json.loads(read.to_frame().to_json(orient="records"))
        rows = [{k: v for k, v in row.items() if v is not None} for row in frame]
        header = {
            "setting": read.setting.as_dict(),
            "environment": read.environment,
            "protocol": read.protocol,
            **read.header.entries(read.rows),
        }
        return json.dumps({**header, "rows": rows}, indent=1) + "\n"
    if file_format == "markdown":
        lines = ["| block | ms | 95 % interval | MMACs | verdict |", "|---|---|---|---|---|"]
        for row in read.rows:
            lines.append(
                f"| {row.name} | {milliseconds(row.latency_ms)} | {milliseconds(row.low_ms)} .. "
                f"{milliseconds(row.high_ms)} | {row.subject.macs / 1e6:.4g} | {row.verdict} |"
            )
        return "\n".join(lines) + "\n"
    return "".join(line + "\n" for line in read.to_text().splitlines() if line[:1] != "#")


@table.command(
    "import",
    epilog="Example: vitprof table import --from nnmeter pixel6.json --device pixel6 --out p6.csv",
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--from", "kind", required=True, help="nnmeter, ofa, nvit or neusight.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--device", help="What it was measured on, where the file does not say.")
@click.option("--dtype", help="In which dtype; the files do not say.")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1, 65536))
@click.option("--tokens", default=197, show_default=True, type=click.IntRange(1, 1_000_000),
              help="Sequence length of nvit's blocks; the file does not say.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over an existing --out.")
@json_option
def import_(
    path: Path, kind: str, out: Path, device: str | None, dtype: str | None, batch: int,
    tokens: int, force: bool, as_json: bool,
) -> int:  # fmt: skip
    """Turn another tool's latency table into one of ours."""
    from ...tables.importers import import_table
    from ..options.common import check_writable

    if out.exists() and not force:
        raise UserError(f"{out} exists; give another --out, or --force to write over it.")
    check_writable(out)
    found = import_table(kind, path, device, dtype, batch, tokens)
    found.table.to_csv(out)
    ops: dict[str, int] = {}
    for row in found.table.block_rows:
        op = str(row.subject).partition("(")[0]
        ops[op] = ops.get(op, 0) + 1
    for key in found.unknown:
        note(f"unknown, not imported: {key}")
    for block in found.repeated:
        note(f"stands there more than once, the median is taken: {block}")
    if as_json:
        print_json(
            {
                "table": str(out),
                "rows": len(found.table.rows),
                "ops": ops,
                "unknown": found.unknown,
                "repeated": found.repeated,
                **found.table.header.entries(),
            }
        )
    else:
        click.echo(
            f"{out}: {len(found.table.rows)} rows of device {found.table.setting.device}, "
            f"imported from {found.table.setting.provider}: "
            + ", ".join(f"{count} {op}" for op, count in ops.items())
        )
    return 1 if found.unknown else 0


@table.command(epilog="Example: vitprof table merge a.csv b.csv --out both.csv")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over an existing --out.")
@json_option
def merge(paths: tuple[Path, ...], out: Path, force: bool, as_json: bool) -> int:
    """Join tables of one machine and one setting."""
    from ...tables import LatencyTable
    from ...tables.merge import merge_tables

    if out.exists() and not force:
        raise UserError(f"{out} exists; give another --out, or --force to write over it.")
    merged = merge_tables([LatencyTable.read_csv(path) for path in paths])
    merged.to_csv(out)
    if as_json:
        print_json({"table": str(out), "rows": len(merged.rows)})
    else:
        click.echo(f"{out}: {len(merged.rows)} rows")
    return 0
