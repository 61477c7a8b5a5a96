"""Small tables of made-up latencies, random rows, and a check that a file is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from vitprof.models import OPS, Block, ViTSpec, create_spec, spec_names
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.row import CONTEXTS

# What a file keeps of a latency.
SEVEN_DIGITS = "{:.7g}"


@pytest.fixture(scope="session")
def blocks() -> st.SearchStrategy[Block]:
    """Random blocks of every op; of those whose dims have to fit, blocks of known models."""
    of_models = {block for name in spec_names() for block in create_spec(name).blocks()}

    @st.composite
    def draw_block(draw: st.DrawFn) -> Block:
        op = OPS[draw(st.sampled_from(sorted(OPS)))]
        if op.fixed:
            own = sorted((block for block in of_models if block.op == op.name), key=str)
            return draw(st.sampled_from(own))
        dims = {axis: draw(st.integers(1, 4096)) for axis in op.axes}
        if "merged" in dims:
            dims["tokens"] += 2 * dims["merged"]  # at most half of them can be
        return Block.of(op.name, **dims)

    return draw_block()


@pytest.fixture(scope="session")
def settings_of_tables() -> st.SearchStrategy[Setting]:
    """Random settings, whose texts may hold commas, quotes and '#'."""
    text = st.text(min_size=1, max_size=12).filter(str.isprintable)
    awkward = st.sampled_from(['a,b "c"', "gpu #1", "é—漢", "# x", "'", " a "])
    number = st.integers(1, 512)
    return st.builds(
        Setting,
        text | awkward,
        text | awkward,
        provider=st.just("") | text,
        batch=number,
        dtype=st.sampled_from(["fp32", "fp16", "int8"]),
        threads=number,
    )


@pytest.fixture(scope="session")
def row_lists(blocks: st.SearchStrategy[Block]) -> st.SearchStrategy[list[Row]]:
    """Lists of random rows with different keys: blocks and whole models, measured and failed."""
    name = st.text(min_size=1, max_size=12).filter(str.isprintable) | st.just('two  spaces, "#1"')
    models = st.builds(
        lambda name, depth, heads: ViTSpec.uniform(24, depth, heads, name=name),
        name,
        st.integers(1, 3),
        st.sampled_from([0, 1, 2, 3]),
    )
    errors = st.text(max_size=30) | st.sampled_from(['no "MatMul", node #3\nat line 2', "π, 漢"])

    @st.composite
    def draw_row(draw: st.DrawFn) -> Row:
        row = Row(
            draw(blocks | models),
            draw(st.sampled_from(CONTEXTS)),
            error=draw(errors),
            measured_at="2026-01-02T03:04:05Z",
        )
        if draw(st.booleans()):
            return replace(row, verdict="failed")
        times = sorted(draw(st.lists(st.floats(1e-6, 1e6), min_size=6, max_size=6)))
        low, least, p10, latency, p90, high = (float(SEVEN_DIGITS.format(t)) for t in times)
        return replace(
            row,
            verdict=draw(st.sampled_from(["stable", "unstable"])),
            latency_ms=latency,
            low_ms=low,
            high_ms=high,
            min_ms=least,
            p10_ms=p10,
            p90_ms=p90,
            p99_ms=high,
            session_ms=tuple(draw(st.lists(st.sampled_from([low, latency, high]), max_size=4))),
            samples=draw(st.integers(1, 500)),
            set_aside=draw(st.integers(0, 500)),
            cores=draw(st.none() | st.sampled_from([0.0, 0.998, 1.5, 64.0])),
            effective_dtype=draw(st.sampled_from(["", "fp32", "bf16", "f32, dynamic"])),
            delegated=draw(st.none() | st.sampled_from([0.0, 0.875, 1.0])),
        )

    return st.lists(draw_row(), min_size=1, max_size=5, unique_by=lambda row: row.key)


@pytest.fixture(scope="session")
def grid_rows(row_of: Callable[..., Row]) -> Callable[..., list[Row]]:
    """Return the rows of an op's full grid: grid_rows(op, cost, axis=[levels], ...)."""

    def rows(op: str, cost: Callable[..., float], **levels: list[int]) -> list[Row]:
        axes = OPS[op].axes
        points = itertools.product(*(levels[axis] for axis in axes))
        dims = [dict(zip(axes, point, strict=True)) for point in points]
        return [row_of(Block.of(op, **d), cost(**d)) for d in dims]

    return rows


@pytest.fixture(scope="session")
def vit_rows(grid_rows: Callable[..., list[Row]]) -> list[Row]:
    """Every op of 8-pixel ViTs of one layer width 16..32, at 5 tokens, each with its own cost."""
    embed = [16, 24, 32]
    return [
        *grid_rows(
            "patch_embed",
            lambda embed, **_: 0.1 + embed / 100,
            embed=embed,
            in_channels=[1],
            resolution=[8],
            kernel=[4],
            prefix=[1],
        ),
        *grid_rows(
            "attention",
            lambda embed, heads, qk, v, **_: 0.2 + embed * heads * (qk + v) / 5e3,
            embed=embed,
            heads=[1, 4],
            qk=[4, 8],
            v=[4, 8],
            tokens=[5],
        ),
        *grid_rows(
            "mlp",
            lambda embed, mlp, **_: 0.3 + embed * mlp / 1e3 + (mlp > 40) * 0.05,
            embed=embed,
            mlp=[16, 64, 128],
            tokens=[5],
        ),
        *grid_rows(
            "classifier",
            lambda embed, **_: 0.05 + embed / 1e3,
            embed=embed,
            heads=[1],
            classes=[10],
            tokens=[5],
        ),
    ]


@pytest.fixture(scope="session")
def vit_table(vit_rows: list[Row], setting: Setting) -> LatencyTable:
    return LatencyTable(vit_rows, setting, {"machine": {"cpu": "toy"}}, {"sessions": 3})


@pytest.fixture(scope="session")
def small_vit() -> Callable[..., ViTSpec]:
    """Return a spec inside `vit_table`: small_vit(embed, depth, heads, mlp)."""

    def spec(embed: int = 24, depth: int = 2, heads: int = 3, mlp: int = 48, **others) -> ViTSpec:
        others = {"qk": 6, "v": 7, "resolution": 8, "patch": 4, "in_channels": 1} | others
        return ViTSpec.uniform(embed, depth, heads, mlp, classes=10, **others)

    return spec


@pytest.fixture(scope="session")
def with_models(
    vit_table: LatencyTable, small_vit: Callable[..., ViTSpec], row_of: Callable[..., Row]
) -> LatencyTable:
    """The table and six whole models, each 10 % dearer than its blocks."""
    specs = [small_vit(16 + 3 * i, 1 + i, name=f"m{i}") for i in range(6)]
    rows = [row_of(s, 1.1 * vit_table.predict(s).ms, context="in_model") for s in specs]
    return LatencyTable([*vit_table.rows, *rows], vit_table.setting)


@pytest.fixture(scope="session")
def three_rows(
    mlp: Callable[..., Block], row_of: Callable[..., Row], failed_row: Callable[..., Row]
) -> list[Row]:
    return [row_of(mlp(16), 1.25), row_of(mlp(32), 2.5), failed_row(mlp(64))]


@pytest.fixture(scope="session")
def table_text(three_rows: list[Row], setting: Setting) -> str:
    """The text of a finished table of three rows."""
    environment = {"machine": {"cpu": "toy é"}}
    return LatencyTable(three_rows, setting, environment, {"sessions": 3}).to_text()


@pytest.fixture(scope="session")
def edited(table_text: str) -> Callable[..., str]:
    """Return the text of the table with cells of one row replaced: edited(row, column=value)."""

    def edit(row: int = 0, **cells: str) -> str:
        lines = table_text.split("\n")
        columns = lines[2].split(",")
        fields = lines[3 + row].split(",")
        for column, value in cells.items():
            fields[columns.index(column)] = value
        lines[3 + row] = ",".join(fields)
        return "\n".join(lines)

    return edit


@pytest.fixture
def refuses(refused: Callable[..., object], tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Expect that a file of this content is refused in one sentence that names it, untouched."""

    def check(content: str | bytes, *words: str) -> None:
        path = tmp_path / "table.csv"
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        with refused(str(path), *words):
            LatencyTable.read_csv(path)
        assert path.read_bytes() == data
        assert list(tmp_path.iterdir()) == [path]

    return check
