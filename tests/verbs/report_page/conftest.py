"""Tables whose latencies are made up, of every family, and a real browser."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import Block, Spec
from vitprof.spaces.registry import slabs_class
from vitprof.spaces.slabs import MeasuringSpace
from vitprof.tables import Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.header import TableHeader
from vitprof.verbs.latency_table import LatencyTable


def made_up_ms(block: Block) -> float:
    """Return a latency that no line between a grid's levels hits."""
    dims = [value for _, value in block.dims]
    wave = 1 + 0.2 * math.sin(sum((n + 1) * value for n, value in enumerate(dims)))
    return 0.02 + block.macs / 3e7 * wave


def table_of_space(
    space: MeasuringSpace, row_of: Callable[..., Row], header: TableHeader | Setting
) -> LatencyTable:
    """Return a table of the space's blocks and eight whole models, with a line through them."""
    rows = [row_of(block, made_up_ms(block)) for block in space.blocks()]
    table = LatencyTable(rows, header, source="made-up.csv")
    models = space.calibration_models(8)
    rows += [
        row_of(spec, (1.08 + 0.01 * n) * table.predict(spec, extrapolate=True).ms + 0.3)
        for n, spec in enumerate(models)
    ]
    rows = [replace(row, context="in_model") if row.is_model else row for row in rows]
    return calibrated(LatencyTable(rows, header, source="made-up.csv"))


@pytest.fixture(scope="session")
def table_of_family(
    row_of: Callable[..., Row], setting: Setting
) -> Callable[[str], tuple[LatencyTable, MeasuringSpace]]:
    """Return a table of a family and the space whose models it covers; "merging" is vit's."""

    def made(family: str) -> tuple[LatencyTable, MeasuringSpace]:
        space: Any = slabs_class("vit" if family == "merging" else family).create()
        if family == "merging":
            space = space.with_merging()
        return table_of_space(space, row_of, setting), space

    return made


@pytest.fixture(scope="session")
def vit_page_table(
    table_of_family: Callable[[str], tuple[LatencyTable, MeasuringSpace]],
) -> LatencyTable:
    return table_of_family("vit")[0]


@pytest.fixture(scope="session")
def random_specs() -> Callable[[MeasuringSpace, int], list[Spec]]:
    """Return random models of a space."""

    def drawn(space: MeasuringSpace, count: int) -> list[Spec]:
        rng = random.Random(7)
        return [space.sample(rng, name=f"random-{n}") for n in range(count)]

    return drawn


class OpenPage:
    """A page that is open, with all that went wrong in it and all that it asked the network for."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.resolve().as_uri()
        self.page.goto(self.address)
        # The scripts have run when the file is loaded.
        assert self.page.get_attribute("html", "data-ready"), self.wrong

    def check_quiet(self) -> None:
        """Check that nothing went wrong, and that nothing but the file was asked for."""
        assert self.wrong == []
        assert self.requests == [self.address]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., OpenPage]]:
    """Open a file: open_page(path, viewport=...)."""
    opened: list[OpenPage] = []

    def made(path: Path, **context: Any) -> OpenPage:
        opened.append(OpenPage(browser, path, **context))
        return opened[-1]

    yield made
    for one in opened:
        one.context.close()
