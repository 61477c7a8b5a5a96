"""`measure --space` for real, on tiny spaces; what covers them, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from vitprof.models import Block
from vitprof.profiler.validation.drawing import draw_for
from vitprof.search.costs import CostModel
from vitprof.spaces.registry import find_search_space, search_space_names
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.verbs.plan import plan as plan_of

from .tiny_space import TINY_VITS

pytestmark = pytest.mark.slow

TINY_AUTOVITS = """
family = "autovit"
resolution = 32
classes = 3
stem_width = 8
pool_width = 16
pool_expansion = 2
stages = [1, 2]
[[mbconv]]
width = [8, 16]
depth = [1, 2]
stride = 1
[[transformer]]
width = [16, 24]
depth = 1
heads = 2
ratio = 1.5
stride = 2
[[transformer]]
width = 24
depth = 1
heads = 2
ratio = 1
stride = 2
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_measured_table_covers_its_space_and_validates(run, tmp_path: Path) -> None:
    file, out = written(tmp_path, TINY_VITS), tmp_path / "lut.csv"
    measured = run(
        "measure", "--space", file, "--sessions", "1", "--whole-models", "3", "--out", out, "--json"
    )
    assert measured.code in (0, 1), measured.err  # a busy machine may call points unstable
    assert measured.json["models"] == 3
    assert measured.json["points"] == 2 + 4 + 4 + 2
    table, space = LatencyTable.read_csv(out), find_search_space(str(file))
    assert table.header.search_space == space.to_dict()
    found = np.concatenate(list(space.enumerate()))
    costs = CostModel(space, [table]).of(found)
    predicted = [table.predict(space.spec(one)).ms for one in found]
    assert costs.latency_ms[:, 0] == pytest.approx(predicted, rel=0, abs=1e-9)

    models = tmp_path / "models.csv"
    answer = run(
        "validate", "--table", out, "--samples", "3", "--sessions", "1", "--out", models, "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["samples"] == 3


def test_autovits_of_other_strides_are_drawn_from_their_own_space(
    tmp_path: Path, setting: Setting
) -> None:
    """The family's own random models are of the paper's spaces, on 256 x 256."""
    plan = plan_of(space=str(written(tmp_path, TINY_AUTOVITS)))
    blocks = [point.subject for point in plan.points if isinstance(point.subject, Block)]
    rows = [Row(block, latency_ms=block.macs / 1e6) for block in blocks]
    table = LatencyTable(rows, TableHeader(setting, search_space=plan.search_space))
    path = tmp_path / "lut.csv"
    table.to_csv(path)
    table = LatencyTable.read_csv(path)
    sample = draw_for(table)
    specs = [sample(random.Random(seed), "one") for seed in range(30)]
    assert len({tuple(spec.blocks()) for spec in specs}) > 5
    for spec in specs:
        assert spec.resolution == 32  # type: ignore[attr-defined]
        assert table.predict(spec).ms == pytest.approx(spec.macs / 1e6)
    CostModel(find_search_space(str(tmp_path / "mine.toml")), [table])


@pytest.mark.parametrize("name", search_space_names())
def test_the_plan_of_every_named_space_covers_it(name: str, setting: Setting) -> None:
    plan = plan_of(space=name, whole_models=2)
    blocks, models = plan.blocks, plan.models
    assert len(blocks) == len(set(blocks)) <= 300
    assert len(models) == 2
    space = find_search_space(name)
    table = LatencyTable([Row(block, latency_ms=block.macs / 1e6) for block in blocks], setting)
    CostModel(space, [table])  # refuses what is not covered
    for model in models:
        assert table.predict(model).ms > 0


def test_old_spellings_are_taken_with_a_note(run, tmp_path) -> None:
    out = tmp_path / "lut.csv"
    family = run("measure", "--space", "vitt", "--out", out)
    assert "unknown search space 'vitt'" in family.err
    family = run("measure", "--space", "vit", "--model", "swin-tiny", "--out", out)
    assert family.code == 2
    assert "--space vit is taken as --family vit" in family.err
    assert "omit --family" in family.err
    searched = run("measure", "--search-space", "autovit-xsx", "--out", out)
    assert searched.code == 2
    assert "--search-space is now called --space" in searched.err
    assert "did you mean" in searched.err
    both = run("measure", "--search-space", "autovit-xxs", "--space", "vit", "--out", out)
    assert (both.code, "remove --family" in both.err) == (2, True)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--family", "vit"), "--family"),
        (("--model", "deit-tiny", "--classes", "3"), "--model, --classes"),
        (("--merging",), "--merging"),
        (("--in-model", "deit-tiny"), "--in-model"),
    ],
)
def test_what_else_says_what_to_measure_is_refused(run, tmp_path, arguments, words) -> None:
    out = tmp_path / "lut.csv"
    answer = run("measure", "--space", "autovit-xxs", *arguments, "--out", out)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert f"remove {words}" in answer.err
    assert not out.exists()


def test_a_misspelt_name_is_answered_with_the_nearest(run, tmp_path) -> None:
    answer = run("measure", "--space", "autovit-xsx", "--out", tmp_path / "lut.csv")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "did you mean" in answer.err


def test_validate_draws_from_a_named_space_and_refuses_what_is_not_covered(run, measured) -> None:
    path, _ = measured
    answer = run("validate", "--table", path, "--space", "autovit-xxs", "--samples", "3")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "mobilevit" in answer.err
    both = run("validate", "--table", path, "--space", "autovit-xxs", "--family", "vit")
    assert (both.code, "remove --family" in both.err) == (2, True)


@pytest.mark.parametrize("said", ['"autovit"', "[1]", "{}", '{"family": "vit", "embed": []}'])
def test_a_damaged_header_is_one_sentence(run, measured, said: str) -> None:
    path, _ = measured
    first, header, rest = path.read_text().split("\n", 2)
    fields = json.loads(header.removeprefix("# ")) | {"search_space": json.loads(said)}
    path.write_text(f"{first}\n# {json.dumps(fields)}\n{rest}")
    answer = run("validate", "--table", path, "--samples", "3", "--sessions", "1")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "header" in answer.err
    assert "search" in answer.err
