"""A picture is written whole or not at all, and draws names as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from vitprof.figure_file import write_figure

HOSTILE = ("x$\\alpha$", "a$\\undefined{$", "$$", "cost: 1$ to 2$", "{}_^\\")


def drawn(labels: tuple[str, ...]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.barh(labels, range(1, len(labels) + 1), label=labels[0])
    axes.set_xscale("log")
    axes.set_title(labels[1])
    axes.legend()
    figure.suptitle(labels[1])
    return figure


@pytest.mark.parametrize("name", ["a.svg", "a.png", "a.PDF", "plain"])
def test_names_with_the_signs_of_formulas_are_drawn(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_figure(drawn(HOSTILE), path, 80)
    beginnings = {".svg": b"<?xml", ".PDF": b"%PDF"}
    assert path.read_bytes().startswith(beginnings.get(path.suffix, b"\x89PNG"))
    assert list(tmp_path.iterdir()) == [path]


def test_they_are_drawn_sign_by_sign_and_powers_are_powers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # words stay words
    write_figure(drawn(HOSTILE), tmp_path / "a.svg", 80)
    svg = (tmp_path / "a.svg").read_text()
    for name in HOSTILE:
        assert f">{name}<" in svg
    assert "mathdefault" not in svg.replace("<!-- $\\mathdefault", "")


def test_an_unknown_format_is_named_and_nothing_is_written(
    tmp_path: Path, refused: Callable[..., object]
) -> None:
    with refused("a.xyz", "xyz"):
        write_figure(drawn(HOSTILE), tmp_path / "a.xyz", 80)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("b.png")
    write_figure(drawn(HOSTILE), tmp_path / "a.png", 40)
    assert (tmp_path / "a.png").is_symlink()
    assert (tmp_path / "b.png").stat().st_size > 0


def test_a_pipe_is_not_replaced(tmp_path: Path, refused: Callable[..., object]) -> None:
    os.mkfifo(tmp_path / "a.png")
    with refused("a.png", "nothing reads"):
        write_figure(drawn(HOSTILE), tmp_path / "a.png", 40)
    assert stat.S_ISFIFO((tmp_path / "a.png").stat().st_mode)
