"""Ways to predict a latency without a table of blocks: what a table has to beat.

Each is fitted on whole models that were measured, and asked about others of the same space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import UserError
from ...models import Spec, ViTSpec

# Takes specs, returns milliseconds.
Predictor = Callable[[Sequence[Spec]], np.ndarray]


def fit_line(features: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """Return the coefficients that minimise the sum of squared *relative* errors.

    `features` is models x features, `ms` the measured milliseconds. Relative, because a user cares
    for per cent, and slow models would otherwise decide alone.
    """
    weighted = features / ms[:, None]
    return np.linalg.lstsq(weighted, np.ones(len(ms)), rcond=None)[0]


def macs_line(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """a·MACs + b."""
    return _linear(lambda spec: (spec.macs / 1e9, 1.0), specs, ms)


def macs_blocks_line(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """a·MACs + b·blocks + c."""
    return _linear(lambda spec: (spec.macs / 1e9, float(len(spec.blocks())), 1.0), specs, ms)


def macs_activations_line(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """a·MACs + b·activations + c, with the values that convolutions and products give."""
    return _linear(lambda spec: (spec.macs / 1e9, _activations(spec) / 1e6, 1.0), specs, ms)


def _activations(spec: Spec) -> float:
    return float(sum(math.prod(block.output_shape) for block in spec.blocks() if block.macs))


def operator_model(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """AutoViT's linear model of operators and design parameters (Eq. 6), no coefficient below 0.

    L = Σ l_i·o_i + Σ t_j·d_j with o_i the MACs and the count of every op, and d_j its
    summed dims.
    """
    from scipy.optimize import nnls

    names = _operator_names(specs)
    features = _operator_features(specs, names)
    scale = np.maximum(np.abs(features).max(axis=0), 1e-12)
    coefficients, _ = nnls(features / scale / ms[:, None], np.ones(len(ms)))
    return lambda others: _operator_features(others, names) / scale @ coefficients


def mlp(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """HAT's predictor (Wang et al. 2020): design parameters into three hidden layers of 400."""
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(
        hidden_layer_sizes=(400, 400, 400), max_iter=3000, random_state=0, early_stopping=False
    )
    return _learned(network, specs, ms)


def random_forest(specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """A random forest of 500 trees on the same design parameters."""
    from sklearn.ensemble import RandomForestRegressor

    return _learned(RandomForestRegressor(n_estimators=500, random_state=0), specs, ms)


def check_learned_available() -> None:
    """Raise UserError where the library of the learned rivals is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise UserError(
            "the learned rivals need scikit-learn, which is not installed; install it (pip install "
            "'vitprof[validate]'), or omit `train`."
        ) from None


def _linear(
    features_of: Callable[[Spec], tuple[float, ...]], specs: Sequence[Spec], ms: np.ndarray
) -> Predictor:
    def features(many: Sequence[Spec]) -> np.ndarray:
        return np.array([features_of(spec) for spec in many])

    coefficients = fit_line(features(specs), np.asarray(ms))
    return lambda others: features(others) @ coefficients


def _operator_names(specs: Sequence[Spec]) -> list[tuple[str, str]]:
    names: dict[tuple[str, str], None] = {}
    for block in (block for spec in specs for block in spec.blocks()):
        names |= {(block.op, "macs"): None, (block.op, "count"): None}
        names |= {(block.op, axis): None for axis, _ in block.dims}
    return list(names)


def _operator_features(specs: Sequence[Spec], names: Sequence[tuple[str, str]]) -> np.ndarray:
    position = {name: i for i, name in enumerate(names)}
    features = np.zeros((len(specs), len(names)))
    for row, spec in zip(features, specs, strict=True):
        for block in spec.blocks():
            values = {"macs": block.macs / 1e6, "count": 1.0, **block.as_dict()}
            for name, value in values.items():
                if (block.op, name) in position:
                    row[position[block.op, name]] += value
    return features


def _learned(model: object, specs: Sequence[Spec], ms: np.ndarray) -> Predictor:
    """Fit a scikit-learn regressor on standardised design parameters and ln(ms)."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parameters_of = _vit_parameters if _all_vits(specs) else _operator_parameters(specs)
    logs = np.log(np.asarray(ms, dtype=float))
    centre, spread = logs.mean(), max(float(logs.std()), 1e-9)
    pipeline = make_pipeline(StandardScaler(), model)
    pipeline.fit(parameters_of(specs), (logs - centre) / spread)
    return lambda others: np.exp(pipeline.predict(parameters_of(others)) * spread + centre)


def _all_vits(specs: Sequence[Spec]) -> bool:
    return all(isinstance(spec, ViTSpec) for spec in specs)


def _operator_parameters(specs: Sequence[Spec]) -> Callable[[Sequence[Spec]], np.ndarray]:
    """Return what gives, for any spec, the count of each op and the mean of each of its dims."""
    names = [name for name in _operator_names(specs) if name[1] != "macs"]
    counts = {op: position for position, (op, dim) in enumerate(names) if dim == "count"}

    def parameters(many: Sequence[Spec]) -> np.ndarray:
        features = _operator_features(many, names)
        for position, (op, dim) in enumerate(names):
            if dim != "count":
                features[:, position] /= np.maximum(features[:, counts[op]], 1.0)
        return features

    return parameters


def _vit_parameters(specs: Sequence[Spec]) -> np.ndarray:
    """Return embed, depth, and the mean over layers of each width (HAT's encoding)."""
    rows = []
    for spec in specs:
        if not isinstance(spec, ViTSpec):
            raise UserError(f"{spec.name} is not a plain ViT, which this rival was fitted on.")
        layers = spec.layers
        rows.append(
            [
                spec.embed,
                len(layers),
                *(
                    float(np.mean([getattr(layer, a) for layer in layers]))
                    for a in ("heads", "qk", "v", "mlp")
                ),
                float(np.mean([layer.heads * layer.qk for layer in layers])),
                float(np.mean([layer.heads * layer.v for layer in layers])),
            ]
        )
    return np.array(rows, dtype=float)
