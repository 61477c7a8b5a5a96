"""`vitprof.pipeline`: stages are calls of verbs."""

from __future__ import annotations

import json

import pytest
import vitprof
from vitprof import UserError
from vitprof.verbs import pipeline as module

from .learned import SMALL, learned

pytestmark = pytest.mark.slow

CONFIG = """
data = "digits"
model = "{model}"

[[student]]
name = "small"
student = "{student}"
epochs = 0.5
augment = "none"
precision = "fp32"
sessions = 1
test_images = 20

[quantize]
to = "int8"
sessions = 1
test_images = 20
"""
STAGES = ["student-small", "int8-teacher", "int8-small"]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "small.json").write_text(SMALL.to_json())
    path = tmp_path / "once.toml"
    path.write_text(CONFIG.format(model=learned().path, student=tmp_path / "small.json"))
    return path


def test_its_stages_are_run_and_not_run_again(config, tmp_path, monkeypatch) -> None:
    out = tmp_path / "once"
    run = vitprof.pipeline(config, out=out)
    assert list(run.to_frame()["stage"]) == STAGES
    assert set(run.doubtful) <= set(STAGES)
    assert json.loads((out / "report.json").read_text()) == run.report()
    assert list(run.report()) == ["stages", "doubtful", "report", "out"]
    assert "3 of 3 stages done" in repr(run)
    page = run.page.read_text()
    assert all(f"## {name}\n" in page for name in STAGES)
    assert "![facts](int8-small/facts.png)" in page
    assert json.loads((out / "int8-small" / "report.json").read_text())["model"] == str(
        out / "student-small"
    )
    # Interrupted after a stage's report: it is not run again, and its state goes.
    state = out / "student-small" / "state.pt"
    state.write_bytes(b"of a training that is done")
    (out / "student-small" / "stage.json").unlink()
    monkeypatch.setattr(module, "verb_named", None)
    run = vitprof.pipeline(config, out=out)
    assert not state.exists()
    monkeypatch.setattr(module, "_run", None)
    assert vitprof.pipeline(config, out=out).records == run.records


def test_a_dry_run_says_the_commands(config, tmp_path) -> None:
    run = vitprof.pipeline(config, out=tmp_path / "once", dry_run=True)
    assert [command.split()[1] for command in run.commands] == ["distill", "quantize", "quantize"]
    assert "--autocast fp32" in run.commands[0]
    assert "--dtype int8" in run.commands[1]
    assert run.records == ()
    assert not (tmp_path / "once").exists()


def test_a_stage_that_refuses_ends_the_run(config, tmp_path) -> None:
    config.write_text(config.read_text().replace('"int8"', '"int4"'))
    with pytest.raises(UserError, match=r"the stage int8-teacher failed: .*no precision 'int4'"):
        vitprof.pipeline(config, out=tmp_path / "once")
    assert (tmp_path / "once" / "student-small" / "stage.json").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sessions = 1.5", "sessions=1.5 has to be of type int"),
        ("sessions = true", "sessions=True has to be of type int"),
        ("out = 'here'", "unknown key 'out'"),
        ("model = 'another'", "unknown key 'model'"),
    ],
)
def test_a_key_that_its_verb_does_not_take_is_refused(tmp_path, line, words) -> None:
    path = tmp_path / "once.toml"
    path.write_text(f'data = "digits"\nmodel = "m"\n[quantize]\n{line}\n')
    with pytest.raises(UserError, match=words):
        vitprof.pipeline(path, out=tmp_path / "out")
