"""A limit in a picture does not take the points' room."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from vitprof.tables.limit_line import draw_limit

POINTS = [0.05, 0.06, 0.08]


def drawn(most: float, points: list[float]):
    axes = Figure().subplots()
    axes.scatter(points, points)
    before = axes.get_xlim()
    draw_limit(axes, most, points)
    return axes, before


def test_a_near_limit_is_a_line() -> None:
    axes, _ = drawn(0.09, POINTS)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [0.09, 0.09]
    assert line.get_label() == "limit 0.09 ms"


@pytest.mark.parametrize(("most", "words"), [(10.0, "limit 10 ms →"), (0.001, "← limit 0.001 ms")])
def test_a_far_limit_is_named_and_the_axis_stays(most: float, words: str) -> None:
    axes, before = drawn(most, POINTS)
    assert not list(axes.lines)
    assert [text.get_text() for text in axes.texts] == [words]
    assert axes.get_xlim() == before


def test_one_point_alone_has_a_limit_too() -> None:
    axes, _ = drawn(1.2, [1.0])
    assert len(axes.lines) == 1
