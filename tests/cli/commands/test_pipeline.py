"""`vitprof pipeline`: its file strictly read, its stages run, killed and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from vitprof.verbs import pipeline as module
from vitprof.verbs.pipeline_stages import read_config, stages_of

pytestmark = pytest.mark.slow

CONFIG = """
data = "digits"
model = "{model}"

[heads]
levels = 1
sessions = 1
test_images = 20

[[student]]
name = "small"
student = "{student}"
epochs = 1
augment = "none"
sessions = 1
test_images = 20

[quantize]
dtype = ["int8"]
sessions = 1
test_images = 20

[[choose]]
name = "all"
dtypes = ["fp32", "int8"]
judge_images = 20
sessions = 1
"""


@pytest.fixture
def config(trained, tiny_vit_file, tmp_path) -> Path:
    path = tmp_path / "once.toml"
    path.write_text(CONFIG.format(model=trained, student=tiny_vit_file))
    return path


def test_stages_are_the_commands_in_their_order(config, trained) -> None:
    out = Path("once")
    stages = stages_of(read_config(config), out)
    assert [stage.name for stage in stages] == [
        "heads",
        "student-small",
        "int8-teacher",
        "int8-small",
        "choose-all",
    ]
    by_name = {stage.name: stage for stage in stages}
    heads, small = out / "heads", out / "student-small"
    assert (
        by_name["heads"]
        .command(out)
        .startswith(f"vitprof prune-heads --model {trained} --data digits --levels 1 --sessions 1 ")
    )
    chosen = by_name["choose-all"].command(out)
    assert chosen.startswith(f"vitprof choose --model {heads} --model {small} --data digits ")
    assert "--dtype fp32,int8" in chosen


@pytest.mark.timeout(280)
def test_a_run_that_is_killed_between_stages_goes_on(run, config, tmp_path, monkeypatch) -> None:
    out = tmp_path / "once"
    real, ran = module._run, []

    def killed(stage, folder, progress):
        if stage.name == "int8-teacher" and "int8-teacher" not in ran:
            ran.append(stage.name)
            folder.mkdir()
            (folder / "half").write_text("")  # what a killed stage leaves
            raise KeyboardInterrupt
        ran.append(stage.name)
        return real(stage, folder, progress)

    monkeypatch.setattr(module, "_run", killed)
    assert run("pipeline", "--config", config, "--out", out).code == 130
    assert ran == ["heads", "student-small", "int8-teacher"]
    answer = run("pipeline", "--config", config, "--out", out, "--json")
    assert answer.code in (0, 1), answer.err
    assert ran[3:] == ["int8-teacher", "int8-small", "choose-all"]
    assert not (out / "int8-teacher" / "half").exists()
    page = (out / "report.md").read_text()
    for stage in ("heads", "student-small", "int8-teacher", "int8-small", "choose-all"):
        assert f"## {stage}\n" in page
    assert "![facts](heads/facts.png)" in page
    assert "Chosen: **" in page
    assert "| variant | score | top-1 | top-3 |" in page
    told = json.loads((out / "report.json").read_text())
    assert [one["stage"] for one in told["stages"]] == [s["stage"] for s in answer.json["stages"]]
    # Done, and asked for once more: nothing is run again.
    before = len(ran)
    assert run("pipeline", "--config", config, "--out", out).code in (0, 1)
    assert len(ran) == before
    config.write_text(config.read_text() + "\n# changed\n")
    refused = run("pipeline", "--config", config, "--out", out)
    assert refused.code == 2
    assert "another configuration" in refused.err


def test_a_stage_that_fails_ends_the_run(run, config, tmp_path) -> None:
    shutil.copy2(config, tmp_path / "bad.toml")
    text = config.read_text().replace("levels = 1", "levels = 99")
    (tmp_path / "bad.toml").write_text(text)
    answer = run("pipeline", "--config", tmp_path / "bad.toml", "--out", tmp_path / "out")
    assert answer.code == 2
    assert "vitprof: the stage heads failed: " in answer.err
    assert not (tmp_path / "out" / "student-small").exists()


def test_a_dry_run_prints_the_commands_and_writes_nothing(run, config, tmp_path) -> None:
    answer = run("pipeline", "--config", config, "--out", tmp_path / "out", "--dry-run")
    assert answer.code == 0
    assert [line.split()[1] for line in answer.out.splitlines()] == [
        "prune-heads",
        "distill",
        "quantize",
        "quantize",
        "choose",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data = "digits"\nmodle = "m"', "unknown key 'modle' (did you mean 'model'"),
        (
            'data = "digits"\nmodel = "m"\n[heads]\nlevel = 2',
            "[heads]: unknown key 'level' (did you mean 'levels'",
        ),
        (
            'data = "digits"\nmodel = "m"\n[[student]]\nname = "a"\ntemprature = 2',
            "[[student]] 1: unknown key 'temprature' (did you mean 'temperature'",
        ),
        ('data = "digits"\nmodel = "m"\n[student]\nname = "a"', "write it as [[student]]"),
        ('data = "digits"\nmodel = "m"\n[[choose]]\nname = "../a"', "letters, digits and hyphens"),
        ('data = "digits"\nmodel = "m"\n[[choose]]\nmax_params = "1M"', "name="),
        (
            'data = "digits"\nmodel = "m"\n[[choose]]\nname = "a"\n[[choose]]\nname = "a"',
            "same name",
        ),
        ('data = "digits"\nmodel = "m"\n[heads]\nlevels = {a = 1}', "has to be a text"),
        ('data = "digits"\nmodel = "m"\n[quantize]\nsessions = "many"', "has to be of type int"),
        ('data = "digits"', "give model"),
        ('data = "digits"\n[train]\nepochs = 1', "[train]: model is missing"),
        ('model = "m"', "data is missing"),
        ("data = ", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_first_mistake(run, tmp_path, text, words) -> None:
    path = tmp_path / "once.toml"
    path.write_text(text)
    answer = run("pipeline", "--config", path, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_refused(run, tmp_path) -> None:
    answer = run("pipeline", "--config", tmp_path / "no.toml", "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
