"""A gate's file, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.verbs.gates.config import read_gate_file

GOOD = """
table = "lut.csv"

[[budget]]
model = "deit-tiny"
max_latency = "12ms"
max_memory = "64MiB"

[[budget]]
model = "mine.json"
table = "other.csv"
max_params = 6e6
at = "typical"

[[regression]]
base = "base.onnx"
head = "head.onnx"
max_regression = "5%"
threads = 2
backend = "openvino"
time = "30s"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    return path


def test_budgets_and_regressions_are_read_and_files_looked_for_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.json").touch()
    (tmp_path / "base.onnx").touch()
    budgets, comparisons = read_gate_file(written(tmp_path, GOOD))
    assert [one.table for one in budgets] == [
        str(tmp_path / "lut.csv"),
        str(tmp_path / "other.csv"),
    ]
    assert [one.model for one in budgets] == ["deit-tiny", str(tmp_path / "mine.json")]
    assert budgets[0].limits == {"latency": 12.0, "memory": 64 * 2**20}
    assert budgets[1].limits == {"params": 6e6}
    assert budgets[1].at == "typical"
    (one,) = comparisons
    assert (one.base, one.head) == (str(tmp_path / "base.onnx"), "head.onnx")
    assert (one.limit, one.seconds, one.setting.threads) == (0.05, 30.0, 2)
    assert one.setting.backend == "openvino"


BUDGET = '[[budget]]\nmodel = "deit-tiny"\nmax_latency = "12ms"\n'
PAIR = '[[regression]]\nbase = "a"\nhead = "b"\nmax_regression = "5%"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither a [[budget]] nor a [[regression]]"),
        ('tabel = "lut.csv"\n' + BUDGET, "did you mean 'table'"),
        ("table = 3\n" + BUDGET, "table=3 has to be a text"),
        (BUDGET + 'max_latancy = "1ms"\n', "[[budget]] 1: unknown field 'max_latancy'"),
        (BUDGET + BUDGET.replace("12ms", "soon"), "[[budget]] 2: `max_latency`: 'soon' is not"),
        (BUDGET.replace('"12ms"', "true"), "max_latency=True has to be a text or a number"),
        (BUDGET.replace('"12ms"', "-1"), "is not a latency above 0"),
        (BUDGET.replace('"12ms"', "nan"), "is not a latency"),
        (BUDGET.replace('"deit-tiny"', '""'), "model='' has to be a text"),
        ('[[budget]]\nmax_latency = "12ms"\n', "[[budget]] 1: model is missing"),
        ('[[budget]]\nmodel = "deit-tiny"\n', "has no limit"),
        ('[budget]\nmodel = "deit-tiny"\n', "write budget as [[budget]]"),
        (PAIR.replace("5%", "5"), "write it as 5%"),
        (PAIR.replace('"5%"', "0.05"), "max_regression=0.05 has to be a text"),
        (PAIR + "sessions = 3\n", "`sessions` is 3"),
        (PAIR + "sessions = true\n", "has to be a whole number"),
        (PAIR + 'time = "never"\n', "`time`: 'never' is not a time"),
        (PAIR + 'max_latency = "1ms"\n', "unknown field 'max_latency'"),
        (PAIR + 'devise = "cpu"\n', "did you mean 'device'"),
        (PAIR.replace('head = "b"\n', ""), "head is missing"),
        ("budget = 3", "write budget as [[budget]]"),
        ("not toml", "is not valid TOML"),
        (f"table = {'9' * 5000}\n" + BUDGET, "is not valid TOML"),
        (BUDGET * 501, "more than 500 entries"),
        ("#" * 100_001, "larger than 97.7 KiB"),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as said:
        read_gate_file(path)
    assert words in str(said.value)
    assert str(path) in str(said.value)
    assert "\n" not in str(said.value)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UserError, match=r"does not exist|is a folder"):
            read_gate_file(path)
    (tmp_path / "gate.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="binary or not UTF-8"):
        read_gate_file(tmp_path / "gate.toml")
