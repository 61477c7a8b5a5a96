"""What every result has, and what one without a picture answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from vitprof.results import Result


@dataclass(frozen=True)
class Weights(Result):
    """A result of one number and no picture."""

    kg: float
    title = "<weights>"

    def report(self) -> dict[str, Any]:
        return {"kg": self.kg}

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([self.report()])


def test_a_result_shows_itself_on_a_terminal_and_in_a_notebook() -> None:
    assert repr(Weights(2.5)).splitlines()[0] == "<weights>"
    assert "2.5" in repr(Weights(2.5))
    html = Weights(2.5)._repr_html_()
    assert "&lt;weights&gt;" in html
    assert "2.5" in html


def test_one_without_a_picture_says_so(refused: Callable, tmp_path: Path) -> None:
    with refused("Weights has no picture", "to_frame()"):
        Weights(2.5).plot(tmp_path / "weights.png")


def test_a_result_without_a_frame_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Empty", (Result,), {"title": "empty"})()
