"""Searching without any accuracy: by a stated proxy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..choices import PROXIES, check_choice
from ..costs import KnownCosts
from ..problem import Evaluation

_NAMES = {"macs": "MACs", "params": "parameters"}


class ProxyEvaluator:
    """Judges candidates by their MACs or parameters, in millions; no accuracy is measured."""

    is_accuracy = False

    def __init__(self, costs: KnownCosts, proxy: str) -> None:
        check_choice("proxy", proxy, PROXIES)
        self.costs = costs
        self.proxy = proxy
        self.measures = f"millions of {_NAMES[proxy]}, a proxy: no accuracy was measured"

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the evaluation of each candidate."""
        figures = getattr(self.costs.of(population), self.proxy) / 1e6
        yield from enumerate(map(Evaluation, figures.tolist()))
