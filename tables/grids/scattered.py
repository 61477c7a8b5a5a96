"""Interpolation between scattered points: ordinary kriging of ratios to a closed form.

Kernels of foreign models are measured at the dims that models happen to have, which span no grid.
What is smooth there is not the latency but its ratio to the work: t / (a·MACs + b·bytes + c), with
a, b and c of the op (non-negative, fitted on relative errors). The ratio at new dims is a weighted
mean of those at the nearest measured ones, with weights that sum to 1 and minimise the variance of
the error under an exponential covariance of the distance between logarithms of the op's quantities
(`Op.scattered`; Matheron 1963, Cressie 1993, section 3.2). Axes that are kinds (`Op.fixed`) lie a
fixed distance apart for each that differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from ...errors import UserError
from ...models import Block, find_op
from ...models.ops.kernels import function_name
from ..row import Row
from .all_points import AllPoints
from .grid import Corners

NEIGHBOURS = 12
# So many points of a kind answer for it alone; with fewer, other kinds help.
ENOUGH_OF_A_KIND = 3
# Distance in logarithms over which ratios forget each other, and what one other kind counts.
RANGE = 2.0
KIND_DISTANCE = 1.0
# A value in fp32 that is read and written.
BYTES_PASSED_AGAIN = 8
# Of the variance of ratios, what is noise of measuring and luck of alignment.
NUGGET = 0.05


class ScatteredPoints(AllPoints):
    """Every measured point of an op whose points span no grid.

    Has an OpGrid's questions. `outside` marks blocks beyond what was measured of their kind; they
    are answered by the nearest points.
    """

    def __init__(self, op: str, rows: Sequence[Row]) -> None:
        definition = find_op(op)
        assert definition.scattered is not None, "only a scattered op has scattered points"
        super().__init__(op, rows)
        self._kinds = [i for i, axis in enumerate(self.axes) if axis in definition.fixed]
        self._measured = np.isfinite(self.values)
        self._places = self._placed(self._dims)
        self._work = self._works(self._dims)
        self._exact = {tuple(dims): n for n, dims in enumerate(self._dims.tolist())}

    def exact_rows(self, dims: np.ndarray) -> dict[int, Row]:
        """Return, by position, the row of each block that was measured as it is.

        Raises UserError where measuring it failed.
        """
        return {}

    def check_inside(self, dims: np.ndarray, corners: Corners, exact: Mapping[int, Row]) -> None:
        """Raise UserError for a function that was not measured.

        All else that lies outside is priced by the nearest points, and marked: but a cubic resize
        does not predict a linear one.
        """
        for values in dims if "function" in self.axes else ():
            wanted = dict(zip(self.axes, map(int, values), strict=True))
            if not self.has_function_of(wanted):
                raise UserError(
                    f"the table has no '{function_name(self.op, wanted)}' of op '{self.op}', and "
                    "no other function stands for it; measure a table that has it (vitprof measure "
                    "--kernels), or predict the rest with `partial`."
                )

    def has_function_of(self, dims: Mapping[str, int]) -> bool:
        """Whether a kernel's function was measured, at any dims."""
        if "function" not in self.axes:
            return True
        return dims["function"] in self.levels[self.axes.index("function")]

    def corners(self, dims: np.ndarray) -> Corners:
        """Return what each of n blocks (`dims`: n x axes, integers) is interpolated from.

        Indices and weights are n x NEIGHBOURS (fewer where fewer were measured).
        """
        # Models repeat their kernels.
        different, of = np.unique(dims, axis=0, return_inverse=True)
        if len(different) < len(dims):
            once = self.corners(different)
            return Corners(
                once.indices[of],
                once.weights[of],
                once.scale[of],
                {axis: marked[of] for axis, marked in once.outside.items()},
            )
        known = self._measured.nonzero()[0]
        if not len(known):
            known = np.arange(len(self.rows))
        count = min(NEIGHBOURS, len(known))
        places, work = self._placed(dims), self._works(dims)
        indices = np.zeros((len(dims), count), dtype=np.int64)
        weights = np.zeros((len(dims), count))
        outside = np.zeros((len(dims), len(self.axes)), dtype=bool)
        for n in range(len(dims)):
            exact = self._exact.get(tuple(dims[n].tolist()))
            if exact is not None:
                indices[n], weights[n, 0] = exact, 1.0
                continue
            among = self._candidates(dims[n], known)
            distance = self._distances(dims[n], places[n], among)
            nearest = np.argsort(distance, kind="stable")[:count]
            chosen = among[nearest]
            indices[n, : len(chosen)] = chosen
            mixed = _kriging_weights(distance[nearest], self._between(chosen))
            weights[n, : len(chosen)] = mixed * work[n] / self._work[chosen]
            outside[n] = self._outside(dims[n], chosen[0])
        return Corners(
            indices,
            weights,
            np.ones(len(dims)),
            {axis: outside[:, i] for i, axis in enumerate(self.axes)},
        )

    def _candidates(self, dims: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return the measured points of a block's kind, or all where these are too few."""
        alike = known[(self._dims[known][:, self._kinds] == dims[self._kinds]).all(axis=1)]
        return alike if len(alike) >= ENOUGH_OF_A_KIND else known

    def _outside(self, dims: np.ndarray, nearest: int) -> np.ndarray:
        """Tell on which axes a block lies outside what was measured of its kind."""
        found = np.zeros(len(self.axes), dtype=bool)
        kind = dims[self._kinds]
        alike = (self._dims[:, self._kinds] == kind).all(axis=1) & self._measured
        if not alike.any():
            found[self._kinds] = self._dims[nearest, self._kinds] != kind
            return found
        places = self._places[alike]
        here = self._placed(dims[None])[0]
        slack = 0.05
        beyond = (here < places.min(axis=0) - slack) | (here > places.max(axis=0) + slack)
        if beyond.any():
            others = [i for i in range(len(self.axes)) if i not in self._kinds]
            of_kind = self._dims[alike]
            for i in others:
                found[i] = not of_kind[:, i].min() <= dims[i] <= of_kind[:, i].max()
            found[others[0]] |= not found.any()
        return found

    def weighted(self, corners: Corners) -> np.ndarray:
        """Return the milliseconds that `corners` stand for, at least half of the nearest's rate."""
        used = np.where(corners.weights == 0, 0.0, self.values[corners.indices])
        ms = (used * corners.weights).sum(axis=1)
        return np.where(ms > 0, ms, np.nanmin(self.values))

    def interpolate(self, dims: np.ndarray, extrapolate: bool = False) -> np.ndarray:
        """Return the milliseconds of n blocks (`dims`: n x axes); a failed point is an error."""
        corners = self.corners(dims)
        if not extrapolate:
            self.check_inside(dims, corners, {})
        self.check_measured(corners)
        return self.weighted(corners)

    def _interpolate_columns(self, dims: Mapping[str, np.ndarray], extrapolate: bool) -> np.ndarray:
        return self.interpolate(np.stack([dims[a] for a in self.axes], axis=1), extrapolate)

    @cached_property
    def _coefficients(self) -> np.ndarray:
        """Return ms a MAC, a byte and a run, fitted on relative errors, none below 0."""
        features = self._features(self._dims)[self._measured]
        ms = self.values[self._measured]
        if not len(ms):
            return np.array([1e-9, 1e-9, 1e-3])
        found = _non_negative_fit(features / ms[:, None])
        return found if found.any() else np.array([0.0, 0.0, float(np.median(ms))])

    def _features(self, dims: np.ndarray) -> np.ndarray:
        rows = []
        for values in dims.tolist():
            block = Block(self.op, tuple(zip(self.axes, values, strict=True)))
            again = self._passed_again(block.as_dict())
            rows.append((block.macs, block.bytes() + BYTES_PASSED_AGAIN * again, 1.0))
        return np.array(rows, dtype=float).reshape(-1, 3)

    def _passed_again(self, dims: Mapping[str, int]) -> int:
        """Return how many values are read and written once more."""
        count = find_op(self.op).passed_again
        return 0 if count is None else count(dims)

    def _works(self, dims: np.ndarray) -> np.ndarray:
        """Return the closed form of n blocks, in ms."""
        return np.maximum(self._features(dims) @ self._coefficients, 1e-9)

    def _placed(self, dims: np.ndarray) -> np.ndarray:
        """Return the logarithms of each block's quantities."""
        place = find_op(self.op).scattered
        assert place is not None
        found = [place(dict(zip(self.axes, values, strict=True))) for values in dims.tolist()]
        return np.log(np.array(found, dtype=float)).reshape(len(dims), -1)

    def _distances(self, dims: np.ndarray, place: np.ndarray, known: np.ndarray) -> np.ndarray:
        apart = self._places[known] - place
        kinds = (self._dims[known][:, self._kinds] != dims[self._kinds]).sum(axis=1)
        return np.sqrt((apart**2).sum(axis=1)) + KIND_DISTANCE * kinds

    def _between(self, chosen: np.ndarray) -> np.ndarray:
        """Return the distances between measured points."""
        apart = self._places[chosen][:, None] - self._places[chosen][None]
        kinds = self._dims[chosen][:, self._kinds]
        differ = (kinds[:, None] != kinds[None]).sum(axis=2)
        return np.sqrt((apart**2).sum(axis=2)) + KIND_DISTANCE * differ


def _non_negative_fit(features: np.ndarray) -> np.ndarray:
    """Return x, none below 0, that brings features · x nearest to 1 (least squares).

    By trying which of the few columns take part: scipy's nnls takes a second to import, and asking
    a table is to be quick.
    """
    columns = features.shape[1]
    best, least = np.zeros(columns), np.inf
    for chosen in range(1, 2**columns):
        parts = [n for n in range(columns) if chosen >> n & 1]
        x = np.linalg.lstsq(features[:, parts], np.ones(len(features)), rcond=None)[0]
        error = float(((features[:, parts] @ x - 1) ** 2).sum())
        if (x >= 0).all() and error < least:
            least = error
            best = np.zeros(columns)
            best[parts] = x
    return best


def _kriging_weights(distances: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Return the weights of ordinary kriging: n, summing to 1.

    With the covariance C(d) = exp(-d / RANGE) between points, and NUGGET at each.
    """
    n = len(distances)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = np.exp(-between / RANGE) + NUGGET * np.eye(n)
    system[n, n] = 0.0
    right = np.append(np.exp(-distances / RANGE), 1.0)
    return np.linalg.solve(system, right)[:n]
