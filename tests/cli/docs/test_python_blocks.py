"""The Python blocks of the pages compile, name what exists, and run where they can be small."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import vitprof
from doc_commands.collect import ROOT
from doc_commands.python_blocks import (
    ONLY_COMPILED,
    only_compiled,
    python_blocks,
    small_text,
    text_of,
)
from doc_commands.world import write_world

BLOCKS = python_blocks()
RUN = [fence for fence in BLOCKS if only_compiled(fence) is None]


def place(fence) -> str:
    return f"{fence.page}:{fence.first}"


@pytest.mark.parametrize("fence", BLOCKS, ids=place)
def test_a_block_compiles_and_names_what_there_is(fence) -> None:
    tree = ast.parse(text_of(fence), filename=place(fence))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vitprof"):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "vitprof"
        ):
            assert hasattr(vitprof, node.attr), f"vitprof has no {node.attr}"


def test_each_block_is_run_or_told_why_not() -> None:
    assert len(RUN) >= 6
    assert len(RUN) + sum(only_compiled(fence) is not None for fence in BLOCKS) == len(BLOCKS)
    for _, reason in ONLY_COMPILED:
        for path in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / path).is_file(), path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    write_world(folder)
    return folder


@pytest.mark.slow
@pytest.mark.docs
@pytest.mark.parametrize("fence", RUN, ids=place)
def test_a_block_runs(fence, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    exec(compile(small_text(fence), place(fence), "exec"), {"__name__": "a_page"})
