"""A command line run in this process, and a table that no machine measured."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from json_schemas.printed import check_printed
from vitprof.cli.main import main
from vitprof.models import Block
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def is_one_sentence(self) -> bool:
        """What stderr says is one line and no traceback, but for warnings before it."""
        said = [line for line in self.err.splitlines() if not line.startswith("warning: ")]
        return len(said) == 1 and said[0].startswith("vitprof: ")

    @property
    def json(self) -> dict:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; what it prints as JSON has to keep to its schema."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        check_printed(list(map(str, arguments)), stop.value.code, captured.out)
        return Answer(stop.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def lut(tmp_path: Path) -> Path:
    """The default grid with 1 ms per 100 MMACs and 5 % intervals."""
    rows = []
    for block in ViTSlabs().blocks():
        ms = block.macs / 1e8
        rows.append(
            Row(
                block,
                latency_ms=ms,
                low_ms=0.95 * ms,
                high_ms=1.05 * ms,
                min_ms=0.9 * ms,
                p10_ms=0.95 * ms,
                p90_ms=1.1 * ms,
                p99_ms=1.2 * ms,
                session_ms=(ms, ms, ms),
                samples=30,
            )
        )
    path = tmp_path / "lut.csv"
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


SMALL = ("--model", "vit-micro-8", "--points", "24", "--sessions", "1", "--whole-models", "3")


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """What the table of `measured` was measured with."""
    return SMALL


@pytest.fixture(scope="session")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Answer]:
    """A real table of the smallest model, measured once for all tests, and what was printed."""
    path = tmp_path_factory.mktemp("measured") / "small.csv"
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stop,
    ):
        main(["measure", *SMALL, "--out", str(path), "--json"])
    assert stop.value.code in (0, 1), err.getvalue()  # a busy machine may call points unstable
    check_printed(["measure", "--json"], int(stop.value.code), out.getvalue())
    return path.read_bytes(), Answer(int(stop.value.code), out.getvalue(), err.getvalue())


@pytest.fixture
def measured(measured_once: tuple[bytes, Answer], tmp_path: Path) -> tuple[Path, Answer]:
    """A copy of that table for this test alone."""
    path = tmp_path / "small.csv"
    path.write_bytes(measured_once[0])
    return path, measured_once[1]


TINY = {
    "family": "vit",
    "embed": 32,
    "depth": 2,
    "heads": 4,
    "mlp": 64,
    "resolution": 8,
    "patch": 2,
    "in_channels": 1,
    "classes": 10,
}


@pytest.fixture(scope="session")
def tiny_vit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec of a ViT that digits are soon learned by."""
    path = tmp_path_factory.mktemp("spec") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_vit_file: Path) -> Path:
    """The folder of that ViT, trained for a moment."""
    out = tmp_path_factory.mktemp("trained") / "digits"
    arguments = (
        "train",
        "--model",
        tiny_vit_file,
        "--data",
        "digits",
        "--epochs",
        8,
        "--augment",
        "none",
        "--autocast",
        "fp32",
        "--out",
        out,
        "--json",
    )
    with pytest.raises(SystemExit) as stop, contextlib.redirect_stdout(io.StringIO()):
        main([str(argument) for argument in arguments])
    assert stop.value.code == 0
    return out


@pytest.fixture(scope="session")
def make_restless() -> Callable[[Path], Path]:
    """Write a table's rows beside it as of a machine typically 20 %, at times 40 % slower."""

    def made(path: Path) -> Path:
        table = LatencyTable.read_csv(path)
        reference = Block.of("mlp", embed=384, mlp=1536, tokens=197)
        drift = Drift(12.0, 10.2, 14.0, undisturbed_ms=10.0)
        header = TableHeader(
            table.setting,
            references=References(reference, reference),
            readings={reference: Readings(drift, 0.01)},
            stated_at="undisturbed",
        )
        rows = [replace(row, reference=reference) for row in table.rows]
        place = path.with_name("restless.csv")
        LatencyTable(rows, header).to_csv(place)
        return place

    return made


@pytest.fixture
def restless_lut(lut: Path, make_restless: Callable[[Path], Path]) -> Path:
    return make_restless(lut)
